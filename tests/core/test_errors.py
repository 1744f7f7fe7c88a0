"""Errors in log lines: ours with their message, foreign ones without what they quote."""

from __future__ import annotations

from tillpost.errors import JournalFull, describe


def test_ours_keep_their_message() -> None:
    assert describe(JournalFull("no room on the disk")) == "no room on the disk"


def test_a_foreign_exception_names_its_type_and_place_and_never_its_value() -> None:
    try:
        dict[str, str]()["eva@example.se"]
    except KeyError as error:
        told = describe(error)
    assert "eva@example.se" not in told
    assert told.startswith("KeyError at ")
    assert "test_errors.py:" in told
