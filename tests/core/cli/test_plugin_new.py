"""`tillpost plugin new`: what it writes, and where it says Tillpost is to be had."""

from __future__ import annotations

import json
import re
import socket
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tillpost.cli import cli
from tillpost.cli.plugin import scaffold
from tillpost.cli.plugin.origin import origin_of
from tillpost.version import __version__

TEMPLATE = Path(scaffold.__file__).parent / "template"
WRITTEN = sorted(path.name for path in TEMPLATE.iterdir() if path.name != "common")


def new(*words: str) -> Result:
    return CliRunner().invoke(cli, ["plugin", "new", *words], catch_exceptions=True)


@pytest.fixture(autouse=True)
def _in_a_folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)


@pytest.mark.parametrize("slot", WRITTEN)
def test_every_mark_is_filled_and_what_is_printed_stands_in_the_readme(slot: str) -> None:
    printed = new("my-till", "--slot", slot)
    assert printed.exit_code == 0, printed.output
    target = Path("tillpost-my-till")
    texts = {path: path.read_text(encoding="utf-8") for path in target.rglob("*") if path.is_file()}
    assert not {str(path): marks for path, text in texts.items() if (marks := re.findall(r"__[A-Z]+__", text))}
    [block] = re.findall(r"## Begin\n.*?```sh\n(.*?)```", (target / "README.md").read_text(), re.S)
    typed = [line.strip() for line in printed.output.splitlines()[2:]]
    assert typed[1:] == block.splitlines()[1:]  # the first makes the environment, with the Python that is at hand
    project = tomllib.loads((target / "pyproject.toml").read_text())["project"]
    assert project["entry-points"]["tillpost.plugins"] == {"my-till": "tillpost_my_till:plugin"}
    assert project["dependencies"] == ["attrs", f"tillpost>={__version__}"]
    assert "pipelines.trial]\n" in (target / "tillpost.toml").read_text()


@pytest.mark.parametrize("name", ["t", "the-tills-of-the-corner-shop"])
@pytest.mark.parametrize("slot", WRITTEN)
def test_it_is_clean_for_ruff(slot: str, name: str) -> None:
    assert new(name, "--slot", slot).exit_code == 0
    for command in (["check"], ["format", "--check"]):
        done = subprocess.run(
            [sys.executable, "-m", "ruff", *command, "--no-cache", "."],
            cwd=f"tillpost-{name}",
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stdout + done.stderr


@pytest.mark.parametrize("name", ["My", "9a", "a_b", "a--b", "a.b", "-a", "å"])
def test_a_name_that_is_none_is_refused(name: str) -> None:
    result = new("--", name)
    assert "is not a plugin name" in str(result.exception)


def test_a_name_that_is_installed_and_a_folder_with_files_are_refused(tmp_path: Path) -> None:
    assert "is installed already" in str(new("poslog").exception)
    Path("full").mkdir()
    Path("full/x").touch()
    assert "is not an empty folder" in str(new("mytill", "--dir", "full").exception)
    Path("tillpost-mytill").touch()
    assert "is not an empty folder" in str(new("mytill").exception)
    Path("empty").mkdir()
    assert new("mytill", "--dir", "empty").exit_code == 0
    assert Path("empty/tillpost_mytill/py.typed").exists()


def test_a_port_that_is_taken_is_not_printed(monkeypatch: pytest.MonkeyPatch) -> None:
    with socket.socket() as taken:
        taken.bind(("127.0.0.1", 0))
        taken.listen()
        port = taken.getsockname()[1]
        monkeypatch.setattr(scaffold, "_PORT", port)
        printed = new("mytill").output
    [chosen] = re.findall(r"--http (\d+)", printed)
    assert int(chosen) not in (0, port)
    assert f"http://127.0.0.1:{chosen}" in Path("tillpost-mytill/tillpost.toml").read_text()


WHERE = {
    "an index": (None, f"tillpost[sftp,testing]>={__version__}"),
    "an address": (
        {"url": "https://example.com/tillpost-0.1.0-py3-none-any.whl", "archive_info": {}},
        "tillpost[sftp,testing] @ https://example.com/tillpost-0.1.0-py3-none-any.whl",
    ),
    "a repository": (
        {"url": "https://example.com/tillpost.git", "vcs_info": {"vcs": "git", "commit_id": "ab12"}},
        "tillpost[sftp,testing] @ git+https://example.com/tillpost.git@ab12",
    ),
    "a folder of a repository": (
        {
            "url": "https://example.com/all.git",
            "vcs_info": {"vcs": "git", "commit_id": "ab12"},
            "subdirectory": "tillpost",
        },
        "tillpost[sftp,testing] @ git+https://example.com/all.git@ab12#subdirectory=tillpost",
    ),
}


@pytest.mark.parametrize("name", WHERE)
def test_tillpost_is_taken_from_where_it_was_installed_from(name: str) -> None:
    recorded, requirement = WHERE[name]
    assert origin_of(None if recorded is None else json.dumps(recorded)).requirement == requirement


def test_a_clone_and_a_wheel_are_taken_by_their_paths_and_one_that_is_gone_is_told(tmp_path: Path) -> None:
    clone, wheel = tmp_path / "the clone", tmp_path / "tillpost-0.1.0-py3-none-any.whl"
    clone.mkdir()
    wheel.touch()

    def requirement(path: Path, **record: object) -> str:
        return origin_of(json.dumps({"url": path.as_uri(), **record})).requirement

    assert requirement(clone, dir_info={"editable": True}) == f'-e "{clone}[sftp,testing]"'
    assert requirement(clone, dir_info={}) == f"tillpost[sftp,testing] @ {clone.as_uri()}"
    assert requirement(wheel, archive_info={}) == f"tillpost[sftp,testing] @ {wheel.as_uri()}"
    gone = origin_of(json.dumps({"url": (tmp_path / "gone.whl").as_uri(), "archive_info": {}}))
    assert gone.requirement == f"tillpost[sftp,testing]>={__version__}"
    assert gone.missing == str(tmp_path / "gone.whl")
    assert "is gone" in gone.sentence


def test_an_origin_that_is_gone_is_said_with_what_to_do(monkeypatch: pytest.MonkeyPatch) -> None:
    record = json.dumps({"url": "file:///nowhere/tillpost.whl", "archive_info": {}})
    monkeypatch.setattr(scaffold, "origin", lambda: origin_of(record))
    result = new("mytill")
    assert result.exit_code == 0
    assert "/nowhere/tillpost.whl, which is gone; write into tillpost-mytill/requirements.txt" in result.stderr


def test_the_ci_file_refuses_a_path_of_one_machine(tmp_path: Path) -> None:
    assert new("mytill").exit_code == 0
    workflow = Path("tillpost-mytill/.github/workflows/tests.yml").read_text()
    [script] = re.findall(r"- run: \|\n((?: {10}.*\n)+)", workflow)

    def refused(requirement: str) -> bool:
        Path("requirements.txt").write_text(f"{requirement}\n-e .[test]\n")
        done = subprocess.run(["bash", "-ec", script], capture_output=True, text=True, check=False)
        return done.returncode == 1 and "from a path of one machine" in done.stdout

    assert refused(f'-e "{tmp_path}[sftp]"')
    assert refused(f"tillpost @ {tmp_path.as_uri()}")
    assert not refused("tillpost[testing]>=0.1.0")
    assert not refused("tillpost @ git+https://example.com/tillpost.git@ab12")
