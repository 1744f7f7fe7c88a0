"""A real Chromium for tests, and whether a page is fit for a screen reader and a phone."""

from __future__ import annotations

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any, Literal

from tests.support.program import needed

if TYPE_CHECKING:
    from playwright.sync_api import Browser, BrowserContext, Page

PHONE, DESK = 375, 1280
"""Widths in pixels."""


@contextmanager
def chromium() -> Iterator[Browser]:
    """A browser of the machine: none is downloaded. Missing, the test fails in CI and skips elsewhere."""
    found = shutil.which("chromium") or shutil.which("chromium-browser") or needed("chromium", "chromium")
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        # A sandbox of its own needs more rights than a container gives; only pages of ours are opened.
        opened = playwright.chromium.launch(executable_path=found, args=["--no-sandbox"])
        try:
            yield opened
        finally:
            opened.close()


@contextmanager
def context(
    browser: Browser, width: int = DESK, scheme: Literal["light", "dark"] = "light"
) -> Iterator[BrowserContext]:
    """Windows of their own, with no JavaScript of the page; what is loaded from elsewhere ends the test."""
    opened = browser.new_context(viewport={"width": width, "height": 800}, color_scheme=scheme, bypass_csp=False)
    opened.set_default_timeout(20_000)
    try:
        yield opened
    finally:
        opened.close()


def no_faults(page: Page) -> list[str]:
    """What axe-core finds wrong, with the elements. The rules that need a person's eye are not among them."""
    from axe_playwright_python.base import AXE_SCRIPT

    # Not through the page's own scripts, which its policy forbids: in the isolated world of the tester.
    page.evaluate(AXE_SCRIPT)
    found: dict[str, Any] = page.evaluate("axe.run({resultTypes: ['violations']})")
    assert len(found["passes"]) > 5, "axe did not look"
    return [
        f"{each['id']}: {node['html'][:200]} {node.get('failureSummary', '')[:300]}"
        for each in found["violations"]
        for node in each["nodes"]
    ]


def scrolls_sideways(page: Page) -> bool:
    """Whether the page is wider than its window."""
    return bool(page.evaluate("document.documentElement.scrollWidth > document.documentElement.clientWidth"))


def shot(page: Page, name: str) -> None:
    """A picture of the whole page, where the environment names a folder for them."""
    if folder := os.environ.get("TILLPOST_SCREENSHOTS"):
        page.screenshot(path=f"{folder}/{name}.png", full_page=True)
