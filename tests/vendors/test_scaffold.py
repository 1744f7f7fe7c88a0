"""What `tillpost plugin new` prints, typed by a script beside a Tillpost from a wheel, or from a clone."""

from __future__ import annotations

import os
import re
import shutil
import sys
import time
from pathlib import Path

import pytest

from tests.vendors.shell import copy_of_the_clone, environment, type_in
from tillpost.cli.plugin import scaffold

SLOTS = sorted(path.name for path in (Path(scaffold.__file__).parent / "template").iterdir() if path.name != "common")

pytestmark = [pytest.mark.slow, pytest.mark.timeout(900)]


@pytest.fixture(scope="module")
def programs(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    return environment(tmp_path_factory.mktemp("wheel") / "here", str(wheel))


def typed(programs: Path, folder: Path, slot: str) -> str:
    """All that is printed is typed, and nothing else; what came of it."""
    begun = time.monotonic()
    printed = type_in(f"{programs}/tillpost plugin new mine --slot {slot}", folder)
    steps = [line.strip() for line in printed.splitlines()[1:]]
    assert steps[0] == "cd tillpost-mine"
    assert steps[-1] == "kill $!"
    # A list of what is to do ends with exit code 1, and a person goes on.
    lines = [f"{step} || test $? = 1" if " plugin test " in step else step for step in steps]
    output = type_in("trap 'kill $! 2>/dev/null || true' EXIT\n" + "\n".join(lines), folder)
    print(f"{slot}: {time.monotonic() - begun:.0f} s")
    return output


@pytest.mark.parametrize("slot", SLOTS)
def test_b5_what_is_printed_installs_tests_checks_and_runs_a_plugin_of_each_slot(
    slot: str, programs: Path, tmp_path: Path
) -> None:
    output = typed(programs, tmp_path, slot)
    assert re.search(r"[1-9]\d* passed", output)
    assert re.search(r"[1-9]\d* kept, 0 broken", output)
    assert "tillpost.toml: fine" in output
    assert re.search(r"^\S+ +\S+ +130\.00 +SEK +delivered +api", output, re.M)
    plugin = tmp_path / "tillpost-mine"
    hidden = (".gitignore", ".github/workflows/tests.yml", "tillpost_mine/py.typed")
    assert [name for name in hidden if not (plugin / name).is_file()] == []  # a wheel may leave such files out
    requirement = [line for line in (plugin / "requirements.txt").read_text().splitlines() if line[0] != "#"]
    assert re.fullmatch(r"tillpost\[\S+] @ file:///\S+\.whl", requirement[0])
    if slot == "adapter":  # the rest of its CI file; of the other slots below, since mypy takes its time
        type_in(". .venv/bin/activate; ruff check . && ruff format --check . && mypy", plugin)
    shutil.rmtree(plugin)


def test_the_code_of_every_slot_is_strictly_typed(tmp_path: Path) -> None:
    for slot in SLOTS:
        type_in(f"{sys.executable} -m tillpost plugin new my{slot} --slot {slot}", tmp_path)
        tests = tmp_path / f"tillpost-my{slot}" / "tests"
        (tests / "test_first.py").rename(tests / f"test_first_{slot}.py")  # mypy tells modules apart by their names
    packages = " ".join(f"tillpost-my{slot}/tillpost_my{slot} tillpost-my{slot}/tests" for slot in SLOTS)
    folders = os.pathsep.join(str(tmp_path / f"tillpost-my{slot}") for slot in SLOTS)
    type_in(f"MYPYPATH={folders} {sys.executable} -m mypy --strict --python-version 3.11 {packages}", tmp_path)


@pytest.mark.parametrize("editable", [False, True], ids=["clone", "editable clone"])
def test_g1_it_works_from_a_clone(editable: bool, tmp_path: Path) -> None:
    clone = tmp_path / "a clone"
    copy_of_the_clone(clone)
    programs = environment(tmp_path / "here", *(["-e"] if editable else []), str(clone))
    assert "delivered" in typed(programs, tmp_path, "adapter")
    shutil.rmtree(tmp_path)
