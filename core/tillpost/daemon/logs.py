"""The log of `tillpost run` on standard error: lines of text for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal

from tillpost.clock import iso
from tillpost.terminal import plain
from tillpost.trace import at_hand, trace_id

OWN = "tillpost.run"
"""The logger of what the command itself has to say; as text it is a plain message, as those of other commands are."""
Form = Literal["text", "json"]


def log_to_stderr(form: Form) -> None:
    """From now on what is logged at WARNING and above goes to standard error, in this form."""
    told = logging.StreamHandler(sys.stderr)
    told.setFormatter(_Json() if form == "json" else _Text("%(asctime)s %(levelname)s %(message)s"))
    told.addFilter(_note_receipt)
    logging.basicConfig(level=logging.WARNING, handlers=[told])


def _note_receipt(record: logging.LogRecord) -> bool:
    """What the thread that logs works on goes with the record."""
    pipeline, receipt = at_hand()
    record.pipeline, record.receipt, record.trace_id = pipeline, receipt, trace_id(receipt) if receipt else ""
    return True


class _Text(logging.Formatter):
    """A line of the log has names of files and words of the destination in it: harmless, and one line."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == OWN:
            return plain(f"tillpost: {record.getMessage()}")
        receipt = getattr(record, "receipt", "")
        about = f" (receipt {receipt}, trace {getattr(record, 'trace_id', '')})" if receipt else ""
        return plain(super().format(record) + about)


class _Json(logging.Formatter):
    """time with its offset, level, logger, message; pipeline, receipt and trace_id where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        told = {
            "time": iso(record.created),
            "level": record.levelname.lower(),
            "logger": record.name,
            "message": record.getMessage(),
        }
        for name in ("pipeline", "receipt", "trace_id"):
            if value := getattr(record, name, ""):
                told[name] = value
        if record.exc_info:
            # Of an exception its kind: its text may quote what it met.
            told["error"] = getattr(record.exc_info[0], "__name__", "")
        return json.dumps(told)
