"""Requests by files: asked once, answered to who asked, and nothing is left."""

from __future__ import annotations

import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest

from tillpost.errors import JournalError
from tillpost.journal.sqlite import control_files


def serve(folder: Path, stop: threading.Event) -> int:
    count = 0
    while not stop.wait(0.01):
        for identity in control_files.take_requests(folder):
            count += 1
            control_files.write_answer(folder, identity, {"number": identity})
    return count


def test_many_ask_at_once_and_each_has_its_own_answer(tmp_path: Path) -> None:
    stop = threading.Event()
    with ThreadPoolExecutor(9) as pool:
        serving = pool.submit(serve, tmp_path, stop)
        asking = [pool.submit(control_files.request_reload, tmp_path, 30.0) for _ in range(8)]
        answers = [each.result(60) for each in asking]
        stop.set()
        assert serving.result(60) == 8
    assert len({answer["number"] for answer in answers if answer}) == 8
    assert list(tmp_path.iterdir()) == []


def test_a_request_without_an_answer_is_removed(tmp_path: Path) -> None:
    assert control_files.request_reload(tmp_path, 0.1) is None
    assert list(tmp_path.iterdir()) == []


def test_unread_answers_are_removed_and_other_files_are_not_touched(tmp_path: Path) -> None:
    control_files.write_answer(tmp_path, "0" * 32, {})
    for name in ("reload-x.request", "reload-0.request.part", "journal.db"):
        (tmp_path / name).touch()
    assert control_files.take_requests(tmp_path) == []
    control_files.remove_answers(tmp_path)
    assert {path.name for path in tmp_path.iterdir()} == {"reload-x.request", "reload-0.request.part", "journal.db"}


def test_a_folder_that_is_not_there_is_named(tmp_path: Path) -> None:
    assert control_files.take_requests(tmp_path / "none") == []
    with pytest.raises(JournalError, match="none"):
        control_files.request_reload(tmp_path / "none", 0.1)
