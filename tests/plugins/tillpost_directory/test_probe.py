"""B23, K13: the share is examined before an outage, with a file put, renamed and taken away again."""

import subprocess
from pathlib import Path

import pytest

from tests.support.mounts import fill, tmpfs
from tillpost.model import Delivered, Misconfigured, NotSent
from tillpost_directory.settings import Settings
from tillpost_directory.transfer import DirectoryTransfer

FOLDERS = ("contactImport", "transactionImport")


@pytest.fixture
def share(tmp_path: Path) -> Path:
    for name in FOLDERS:
        (tmp_path / "share" / name).mkdir(parents=True)
    return tmp_path / "share"


def probe(share: Path, trial: bool) -> object:
    return DirectoryTransfer(Settings(path=share)).probe_transfer(FOLDERS, trial)


@pytest.mark.parametrize("trial", [False, True])
def test_it_leaves_nothing(share: Path, trial: bool) -> None:
    assert probe(share, trial) == Delivered()
    assert [path for path in share.rglob("*") if path.is_file()] == []


@pytest.mark.parametrize("trial", [False, True])
@pytest.mark.parametrize("gone", ["", "contactImport", "transactionImport"])
def test_b23_a_share_that_is_not_mounted_is_told_and_nothing_is_made(share: Path, gone: str, trial: bool) -> None:
    moved = (share / gone) if gone else share
    moved.rename(moved.with_name("away"))
    outcome = probe(share, trial)
    assert isinstance(outcome, NotSent)
    assert f"there is no folder {share / gone}" in outcome.reason
    assert not moved.exists()


def test_b23_a_full_share_and_one_that_is_mounted_for_reading_are_told(share: Path) -> None:
    with tmpfs(share / "contactImport", "size=64k"):
        fill(share / "contactImport")
        outcome = probe(share, True)
        assert isinstance(outcome, NotSent)
        assert f"no file can be written into {share}/contactImport" in outcome.reason
        assert "No space left" in outcome.reason
        assert probe(share, False) == Delivered()
    with tmpfs(share / "contactImport", "size=64k"):
        subprocess.run(["mount", "-o", "remount,ro", str(share / "contactImport")], check=True)
        outcome = probe(share, True)
        assert isinstance(outcome, Misconfigured)
        assert "Read-only file system" in outcome.reason
