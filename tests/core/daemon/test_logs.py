"""The log in both forms: what is in a line, what is known of the receipt, and that it stays one harmless line."""

from __future__ import annotations

import json
import logging
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from io import StringIO
from typing import Any

import pytest

from tillpost.daemon.logs import OWN, Form, log_to_stderr
from tillpost.trace import trace_id, working_on


@contextmanager
def logged(form: Form) -> Iterator[StringIO]:
    """What is written when nothing of pytest's listens; inside the test, for pytest adds its own before each phase."""
    logger, said, before = logging.getLogger(), StringIO(), sys.stderr
    handlers, level = logger.handlers[:], logger.level
    logger.handlers[:], sys.stderr = [], said
    try:
        log_to_stderr(form)
        yield said
    finally:
        logger.handlers[:], sys.stderr = handlers, before
        logger.setLevel(level)


def lines(said: StringIO) -> list[dict[str, Any]]:
    return [json.loads(line) for line in said.getvalue().splitlines()]


def test_a_line_in_json_has_time_level_logger_and_message() -> None:
    with logged("json") as root:
        logging.getLogger("tillpost.flow").warning("pipeline %s: %s", "shop", "the destination is away")
    (told,) = lines(root)
    assert datetime.fromisoformat(told.pop("time")).tzinfo is not None
    assert told == {"level": "warning", "logger": "tillpost.flow", "message": "pipeline shop: the destination is away"}


def test_what_the_thread_works_on_is_told() -> None:
    with logged("json") as root, working_on("shop"):
        logging.getLogger("a").error("first")
        with working_on("shop", "r-1"):
            logging.getLogger("a").error("second")
    first, second = lines(root)
    assert (first["pipeline"], "receipt" in first) == ("shop", False)
    assert (second["pipeline"], second["receipt"], second["trace_id"]) == ("shop", "r-1", trace_id("r-1"))


def test_of_an_exception_only_its_kind_is_told() -> None:
    with logged("json") as root:
        try:
            raise ValueError("maria@example.com")
        except ValueError:
            logging.getLogger("a").exception("it failed")
    (told,) = lines(root)
    assert told["error"] == "ValueError"
    assert "example.com" not in root.getvalue()


@pytest.mark.parametrize("form", ["text", "json"])
def test_hostile_text_stays_one_line_without_control_characters(form: Form) -> None:
    with logged(form) as root:
        logging.getLogger("a").error("file %s", "\x1b[2J\nERROR all is lost \u202e")
    text = root.getvalue()
    assert text.count("\n") == 1
    assert text.endswith("\n")
    assert text[:-1].isprintable()


def test_text_names_the_receipt_and_its_trace() -> None:
    with logged("text") as root:
        with working_on("shop", "r-1"):
            logging.getLogger("a").warning("slow")
        logging.getLogger(OWN).error("repaired: %s", "row 7")
    slow, repaired = root.getvalue().splitlines()
    assert slow.endswith(f" WARNING slow (receipt r-1, trace {trace_id('r-1')})")
    assert repaired == "tillpost: repaired: row 7"
