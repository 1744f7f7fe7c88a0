"""The status page of a running line in a real Chromium: every page and action, live, in both themes, on a phone."""

from __future__ import annotations

import time
from collections.abc import Iterator
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import attrs
import pytest

from tests.support.browser import DESK, PHONE, chromium, context, no_faults, scrolls_sideways, shot
from tests.support.program import free_ports
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, stop

if TYPE_CHECKING:
    from playwright.sync_api import Browser, Page

Scheme = Literal["light", "dark"]
LOOKS = [
    (DESK, "dark"),
    (PHONE, "light"),
    *(pytest.param(*each, marks=pytest.mark.slow) for each in ((DESK, "light"), (PHONE, "dark"))),
]


@attrs.frozen
class Live:
    """A shop whose line runs with a page, and the browser that looks at it."""

    shop: Shop
    browser: Browser
    url: str

    def token(self) -> str:
        """As its operator reads it."""
        return (self.shop.folder / "state" / "status.token").read_text().strip()


@pytest.fixture(scope="module")
def live(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Live]:
    """A line that has been through an outage: delivered both ways, files, two held receipts, a skipped one."""
    with chromium() as browser, Shop(tmp_path_factory.mktemp("shop")) as shop:
        (port,) = free_ports(1)
        process = shop.start("--status", f"127.0.0.1:{port}")
        shop.put("1.jsonl", document([receipt_of(number, externalId="known") for number in range(3)]))
        shop.wait_for(lambda stand: stand["delivered"]["api"] == 3)
        shop.fault(http="refuse")
        shop.put(
            "2.jsonl", document([receipt_of(number, email="eva@example.org") for number in range(3, 8)]) + b"{broken\n"
        )
        shop.wait_for(lambda stand: stand["counts"]["written"] == 5)
        shop.fault(http="ok")
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 8)
        other = attrs.evolve(receipt_of(7, email="eva@example.org"), till="1")
        shop.put("3.jsonl", document([attrs.evolve(other, currency="NOK")]))
        shop.wait_for(lambda stand: stand["counts"]["held"] == 2)
        yield Live(shop, browser, f"http://127.0.0.1:{port}")
        stop(process)
        log = (shop.folder / "run.log").read_text()
        assert "status page: http://127.0.0.1:" in log
        assert (shop.folder / "state" / "status.token").read_text().strip() not in log
        assert "eva@example.org" not in log
        assert "ERROR" not in log


def enter(live: Live, page: Page) -> None:
    page.goto(f"{live.url}/sign-in")
    page.get_by_label("Token").fill(live.token())
    page.get_by_role("button", name="Sign in").click()
    page.get_by_role("button", name="Sign out").wait_for()


def delivered_one(live: Live) -> str:
    return str(next(row["id"] for row in live.shop.answers("receipts") if row["route"] == "file"))


@pytest.mark.parametrize(("width", "scheme"), LOOKS)
@pytest.mark.parametrize("who", ["viewer", "with the token"])
def test_every_page_is_fit_for_screen_reader_and_phone(live: Live, width: int, scheme: Scheme, who: str) -> None:
    one = delivered_one(live)
    asked: list[str] = []
    with context(live.browser, width, scheme) as opened:
        page = opened.new_page()
        page.on("request", lambda request: asked.append(request.url))
        said: list[str] = []
        page.on("console", lambda message: said.append(message.text))
        if who != "viewer":
            enter(live, page)
        held = live.shop.answers("held", "list")[0]["id"]
        for name, path in {
            "overview": "/", "receipts": "/receipts?state=delivered", "search": "/receipts",
            "receipt": f"/receipts/{one}", "held": f"/receipts/{held}", "files": "/files", "contacts": "/contacts",
            "sign-in": "/sign-in",
        }.items():  # fmt: skip
            answer = page.goto(live.url + path)
            assert answer is not None
            assert answer.status == 200
            assert not scrolls_sideways(page), path
            shot(page, f"{name}-{width}-{scheme}-{who.split()[0]}")
            assert no_faults(page) == [], path
            assert page.evaluate("getComputedStyle(document.body).backgroundColor") == (
                "rgb(253, 253, 251)" if scheme == "light" else "rgb(21, 24, 27)"
            )
        page.goto(live.url)
        for each in page.locator("summary").all():
            each.click()
        assert not scrolls_sideways(page)
        assert no_faults(page) == []
    assert {url.split("/")[2] for url in asked} == {live.url.split("/")[2]}
    assert said == [], "the policy stopped something, or something was missing"


def test_it_works_without_javascript_and_by_keyboard(live: Live) -> None:
    """From the first page to the life of receipt 5 of store 12, with the keyboard only."""
    opened = live.browser.new_context(java_script_enabled=False)
    page = opened.new_page()
    page.goto(live.url)
    page.keyboard.press("Tab")
    page.keyboard.press("Enter")  # past the navigation
    page.keyboard.press("Tab")
    page.keyboard.type("5")
    page.keyboard.press("Tab")
    page.keyboard.type("12")
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Receipts found").wait_for()
    (link,) = page.get_by_role("table").get_by_role("link").all()
    link.focus()
    page.keyboard.press("Enter")
    page.get_by_role("heading", name="Timeline").wait_for()
    assert page.get_by_role("cell", name="id learnt", exact=False).count() == 1
    opened.close()


def test_a_customer_is_found_by_a_key_that_no_page_shows(live: Live) -> None:
    with context(live.browser) as opened:
        page = opened.new_page()
        page.goto(live.url)
        page.get_by_label("Receipt id, number").fill("Eva@Example.org")
        page.get_by_role("button", name="Find").click()
        page.get_by_role("heading", name="Receipts of contact").wait_for()
        assert page.locator("tbody tr").count() == 5
        assert "example.org" not in page.content().lower()
        assert "example" not in page.url.lower()


def test_a_file_leads_to_its_receipts(live: Live) -> None:
    with context(live.browser) as opened:
        page = opened.new_page()
        page.goto(live.url)
        page.get_by_role("link", name="Files").click()
        assert page.get_by_text("confirmed", exact=True).count() >= 2
        page.get_by_role("link", name="_transactions").first.click()
        page.get_by_role("heading", name="Receipts found").wait_for()
        assert page.locator("tbody tr").count() >= 1


def test_held_receipts_are_decided_with_the_token(live: Live) -> None:
    """Discarded with a reason; the other, which cannot be sent, says why. And personal data only when asked for."""
    with context(live.browser) as opened:
        page = opened.new_page()
        page.goto(live.url)
        assert page.get_by_role("button", name="Discard").count() == 0
        page.get_by_role("link", name="Sign in").first.click()
        page.get_by_label("Token").fill("not the token, though long enough")
        page.get_by_role("button", name="Sign in").click()
        assert "The token is wrong" in page.get_by_role("alert").inner_text()
        page.get_by_label("Token").fill(live.token())
        page.get_by_role("button", name="Sign in").click()
        taken, broken = (row["id"] for row in live.shop.answers("held", "list"))
        if broken.startswith("1"):
            taken, broken = broken, taken
        page.get_by_role("button", name=f"Retry {taken}").click()
        assert "its id belongs to other content" in page.get_by_role("alert").inner_text()
        shot(page, "refused")
        page.goto(live.url)
        page.get_by_label(f"Reason to discard {broken}").fill("a torn line")
        page.get_by_role("button", name=f"Discard {broken}").click()
        assert "Discarded" in page.get_by_role("status").inner_text()
        assert "discarded: a torn line" in page.locator("main").inner_text()
        one = delivered_one(live)
        page.goto(f"{live.url}/receipts/{one}")
        assert "eva@example.org" not in page.content()
        page.get_by_role("button", name="Show personal data").click()
        assert "eva@example.org" in page.locator("main").inner_text()
        shot(page, "personal")
        assert no_faults(page) == []
        (life,) = live.shop.answers("receipt", one)
        assert [event["what"] for event in life["events"]].count("personal data shown") == 1
        page.goto(f"{live.url}/receipts/{one}")
        assert "eva@example.org" not in page.content()
        page.get_by_role("button", name="Sign out").click()
        assert page.get_by_role("link", name="Sign in").count() >= 1


def test_it_is_live_while_the_api_goes_down_and_comes_back(live: Live) -> None:
    """A page that loads itself again follows the line; nobody touches it."""

    def number(name: str) -> int:
        text = page.locator(".step", has=page.get_by_text(name, exact=True)).locator(".count").inner_text()
        return int(text.replace(",", ""))

    def until(condition: object) -> None:
        end = time.monotonic() + 90
        while True:
            assert time.monotonic() < end, page.locator("main").inner_text()
            try:
                if condition():  # type: ignore[operator]
                    return
            except Exception as error:
                if "navigat" not in str(error) and "destroyed" not in str(error) and "Timeout" not in str(error):
                    raise
            page.wait_for_timeout(100)

    with context(live.browser) as opened:
        page = opened.new_page()
        page.goto(live.url)
        page.get_by_role("link", name="Auto-refresh").click()
        page.get_by_role("link", name="Stop auto-refresh").wait_for()
        before = number("delivered by API"), number("delivered by file")
        live.shop.fault(http="refuse")
        live.shop.put("live.jsonl", document([receipt_of(number, externalId="known") for number in range(100, 120)]))
        until(lambda: "fallback" in page.locator(".stand").first.inner_text())
        until(lambda: number("written") > 0)
        shot(page, "outage")
        assert no_faults(page) == []
        live.shop.fault(http="ok")
        until(lambda: sum((number("delivered by API"), number("delivered by file"))) == sum(before) + 20)
        until(lambda: "online" in page.locator(".stand").first.inner_text())
        assert number("written") == number("transferred") == 0
        page.get_by_role("link", name="Stop auto-refresh").click()
        page.get_by_role("link", name="Auto-refresh", exact=True).wait_for()


def test_ci_has_the_browser() -> None:
    """What the tests above skip on a person's machine they must not skip there."""
    installs = (Path(__file__).parents[2] / ".ci" / "run").read_text()
    assert "missing+=(chromium)" in installs
