"""Plugins from outside: installed from their own folders into a fresh environment, beside the built wheel."""

from __future__ import annotations

import json
import shlex
import shutil
import subprocess
import sys
import tomllib
from collections.abc import Iterator
from pathlib import Path

import attrs
import pytest

from tests.vendors.guide import commands
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
def outside(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Outside]:
    folder = tmp_path_factory.mktemp("outside")
    subprocess.run([sys.executable, "-m", "venv", str(folder / "venv")], check=True)
    environment = Outside(folder)
    environment.run(
        "pip", "wheel", "-q", "--disable-pip-version-check", "--no-deps", "-w", str(folder / "dist"), str(ROOT)
    )
    [wheel] = (folder / "dist").glob("tillpost-*.whl")
    environment.install(f"{wheel}[all,testing]")
    yield environment
    shutil.rmtree(folder / "venv")


def test_the_wheel_alone_has_the_command_and_every_plugin(outside: Outside) -> None:
    assert outside.run("tillpost", "--version").split()[-1] == version
    listed = json.loads(outside.run("tillpost", "plugins", "--json"))["plugins"]
    points = tomllib.loads((ROOT / "pyproject.toml").read_text())["project"]["entry-points"]["tillpost.plugins"]
    assert {element["name"] for element in listed} == set(points)
    assert [element["error"] for element in listed] == [""] * len(points)


def test_the_guide_leads_from_nothing_to_a_report(outside: Outside) -> None:
    for command in commands()[1:]:
        first_test = command == "tillpost adapter test corner"
        output = outside.run(*shlex.split(command), expect=1 if first_test else 0)
        if first_test:
            assert "promise `sale`: to do: write samples/sale.*" in output
            shutil.copytree(
                EXAMPLE / "tillpost_corner", outside.folder / "tillpost-corner" / "tillpost_corner", dirs_exist_ok=True
            )
    assert "31 kept, 0 broken, 11 waived" in output
    assert "customer, linked returns" in (outside.folder / "report.md").read_text(encoding="utf-8")
    outside.run("pip", "uninstall", "-q", "-y", "tillpost-corner")
    shutil.rmtree(outside.folder / "tillpost-corner")


def test_the_example_keeps_its_promises_as_an_outside_package(outside: Outside) -> None:
    copy = outside.folder / "tillpost-corner"
    shutil.copytree(EXAMPLE, copy, ignore=shutil.ignore_patterns("__pycache__"))
    outside.install(f"{copy}[test]")
    shutil.rmtree(copy)  # what is installed stands alone
    found = outside.plugin("corner")
    assert (found["distribution"], found["slots"], found["error"]) == ("tillpost-corner", ["adapter"], "")
    report = outside.run("tillpost", "adapter", "test", "corner", "--report", "corner.md")
    assert "31 kept, 0 broken, 11 waived" in report
    assert "# Promises of `corner`" in (outside.folder / "corner.md").read_text(encoding="utf-8")


CONFIG = """\
[pipelines.shop]
adapter   = { use = "mytill", timezone = "Europe/Stockholm" }
resolve   = [ { use = "known" }, { use = "engage" } ]
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "PATH_OF_NOTHING" } }
"""


def test_a_scaffolded_adapter_is_found_checked_tried_and_tells_what_is_to_do(outside: Outside) -> None:
    outside.run("tillpost", "adapter", "new", "mytill")
    outside.install("-e", "tillpost-mytill[test]")
    assert outside.plugin("mytill")["slots"] == ["adapter"]
    (outside.folder / "key").write_text("k\n")
    config = CONFIG.replace('{ env = "PATH_OF_NOTHING" }', '{ file = "key" }')
    (outside.folder / "tillpost.toml").write_text(config)
    assert "fine" in outside.run("tillpost", "check", "--offline")
    (outside.folder / "day.txt").write_text("a sale\nanother\n")
    tried = outside.run("tillpost", "adapter", "try", "mytill", "day.txt", "--set", "timezone=Europe/Oslo", expect=1)
    assert "0 receipts, 0 skipped, 0 ignored, 2 broken" in tried
    assert "read_receipt in tillpost_mytill/parse.py is not written yet" in tried

    def not_kept() -> tuple[dict[str, str], str]:
        output = outside.run("tillpost", "adapter", "test", "mytill", "--json", expect=1)
        results = json.loads(output)["results"]
        outcomes = {result["promise"]: result["outcome"] for result in results}
        return {name: outcome for name, outcome in outcomes.items() if outcome in ("broken", "to do")}, output

    first, output = not_kept()
    assert len(first) > 25
    assert set(first.values()) == {"to do"}
    assert "to do: write samples/sale.*: Two A-1" in output
    package = outside.folder / "tillpost-mytill" / "tillpost_mytill"
    text = (package / "promises.py").read_text()
    (package / "promises.py").write_text(
        text.replace("waivers: dict[str, str] = {}", 'waivers = {"gift_card": "the till takes none"}')
    )
    (package / "samples" / "sale.jsonl").write_text('{"number": "1001"}\n')
    second, output = not_kept()
    assert (second["ids"], second["change"]) == ("broken", "to do")
    assert "gift_card" not in second
    assert set(second) < set(first)
    assert "to do: write samples/sale" not in output
    assert "read_receipt in tillpost_mytill/parse.py is not written yet" in output
    assert "mytill" in outside.run("python", "-m", "pytest", "-q", "tillpost-mytill", expect=1)
