"""Plugins from outside: installed by themselves into a fresh environment, beside the built wheel or a clone."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.vendors.guide import blocks
from tests.vendors.shell import copy_of_the_clone, type_in
from tillpost.version import __version__ as version

ROOT = Path(__file__).parents[2]
EXAMPLE = ROOT / "docs" / "vendors" / "example"

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@attrs.frozen
class Outside:
    """An environment that has Tillpost as its users have it."""

    folder: Path

    def run(self, *words: str, expect: int | None = 0) -> str:
        """A program of the environment, in its folder; what it printed."""
        done = subprocess.run(
            [str(self.folder / "venv" / "bin" / words[0]), *words[1:]],
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=600,
            check=False,
        )
        assert expect is None or done.returncode == expect, done.stdout + done.stderr
        return done.stdout + done.stderr

    def install(self, *what: str) -> None:
        self.run("pip", "install", "-q", "--disable-pip-version-check", *what)

    def plugin(self, name: str) -> dict[str, object]:
        """What `tillpost plugins` says of it."""
        listed = json.loads(self.run("tillpost", "plugins", "--json"))["plugins"]
        [found] = [element for element in listed if element["name"] == name]
        return dict(found)


@pytest.fixture(scope="module")
def outside(tmp_path_factory: pytest.TempPathFactory, wheel: Path) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    environment = Outside(folder)
    environment.install(f"{wheel}[all,testing]")
    yield environment
    shutil.rmtree(folder / "venv")


def test_the_wheel_alone_has_the_command_and_every_plugin(outside: Outside) -> None:
    assert outside.run("tillpost", "--version").split()[-1] == version
    listed = json.loads(outside.run("tillpost", "plugins", "--json"))["plugins"]
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tillpost.plugins"]
    assert {element["name"] for element in listed} == set(points)
    assert [element["error"] for element in listed] == [""] * len(points)


def test_the_example_keeps_its_promises_as_an_outside_package(outside: Outside) -> None:
    copy = outside.folder / "tillpost-corner"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    outside.install(f"{copy}[test]")
    shutil.rmtree(copy)  # what is installed stands alone
    found = outside.plugin("corner")
    assert (found["distribution"], found["slots"], found["error"]) == ("tillpost-corner", ["adapter"], "")
    report = outside.run("tillpost", "plugin", "test", "corner", "--report", "corner.md")
    assert "31 kept, 0 broken, 11 waived" in report
    assert "# Promises of `corner`" in (outside.folder / "corner.md").read_text(encoding="utf-8")


def test_g1_the_guide_leads_from_a_clone_to_a_report(tmp_path: Path) -> None:
    """Typed as it is printed; between two blocks, the person writes the example's code."""
    copy_of_the_clone(tmp_path / "tillpost")
    first, *later = blocks()
    assert first.endswith("\ntillpost plugin test corner\n")
    to_do = type_in(first, tmp_path, expect=1)
    assert "promise `return`: to do: write samples/return.*" in to_do
    assert " 0 broken" in to_do
    assert "1 passed" in to_do
    package = tmp_path / "tillpost-corner" / "tillpost_corner"
    shutil.rmtree(package)
    shutil.copytree(EXAMPLE / "tillpost_corner", package)
    output = type_in(". .venv/bin/activate\n" + "".join(later), tmp_path / "tillpost-corner")
    assert "31 kept, 0 broken, 11 waived" in output
    assert "customer, linked returns" in (tmp_path / "tillpost-corner" / "report.md").read_text(encoding="utf-8")
    shutil.rmtree(tmp_path)


def test_a_scaffolded_adapter_tells_what_is_to_do_until_it_is_done(outside: Outside) -> None:
    outside.run("tillpost", "plugin", "new", "mytill")
    outside.install("-e", "tillpost-mytill")
    assert outside.plugin("mytill")["slots"] == ["adapter"]
    (outside.folder / "day.txt").write_text("a sale\nanother\n")
    tried = outside.run("tillpost", "adapter", "try", "mytill", "day.txt", "--set", "timezone=Europe/Oslo", expect=1)
    assert "0 receipts, 0 skipped, 0 ignored, 2 broken" in tried
    assert "line 1: not JSON" in tried

    def not_kept() -> tuple[dict[str, str], str]:
        output = outside.run("tillpost", "plugin", "test", "mytill", "--json", expect=1)
        results = json.loads(output)["results"]
        outcomes = {result["promise"]: result["outcome"] for result in results}
        return {name: outcome for name, outcome in outcomes.items() if outcome in ("broken", "to do")}, output

    first, output = not_kept()
    assert len(first) > 25
    assert set(first.values()) == {"to do"}
    assert "to do: write samples/return.*: One A-1" in output
    package = outside.folder / "tillpost-mytill" / "tillpost_mytill"
    text = (package / "promises.py").read_text()
    (package / "promises.py").write_text(
        text.replace("waivers: ClassVar[dict[str, str]] = {}", 'waivers = {"gift_card": "the till takes none"}')
    )
    sale = (package / "samples" / "sale.jsonl").read_text()
    (package / "samples" / "return.jsonl").write_text(sale)  # which is no return
    second, output = not_kept()
    assert (second["return"], second["change"]) == ("broken", "to do")
    assert "gift_card" not in second
    assert set(second) < set(first)
    assert "to do: write samples/return" not in output
