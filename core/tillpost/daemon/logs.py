"""The log of `tillpost run` on standard error: lines of text for people, or one JSON object a line for machines."""

from __future__ import annotations

import json
import logging
import sys
from typing import Literal

from tillpost.clock import iso
from tillpost.terminal import plain
from tillpost.trace import current_work, trace_id

OWN = "tillpost.run"
"""The logger of the command itself; as text its messages look like those of other commands."""
Form = Literal["text", "json"]


def log_to_stderr(form: Form, debug: bool = False) -> None:
    """Write records of level WARNING and above to standard error, in this form. debug: those of plugins' lines too."""
    handler = logging.StreamHandler(sys.stderr)
    handler.setFormatter(_Json() if form == "json" else _Text("%(asctime)s %(levelname)s %(message)s"))
    handler.addFilter(_add_receipt)
    logging.basicConfig(level=logging.WARNING, handlers=[handler])
    if debug:
        logging.getLogger("tillpost").setLevel(logging.DEBUG)


def _add_receipt(record: logging.LogRecord) -> bool:
    """Add the pipeline and the receipt the logging thread works on."""
    pipeline, receipt = current_work()
    record.pipeline, record.receipt, record.trace_id = pipeline, receipt, trace_id(receipt) if receipt else ""
    return True


class _Text(logging.Formatter):
    """One line, its control characters escaped: file names and answers of the destination may be in it."""

    def format(self, record: logging.LogRecord) -> str:
        if record.name == OWN:
            return plain(f"tillpost: {record.getMessage()}")
        receipt = getattr(record, "receipt", "")
        about = f" (receipt {receipt}, trace {getattr(record, 'trace_id', '')})" if receipt else ""
        return plain(super().format(record) + about)


class _Json(logging.Formatter):
    """time with its offset, level, logger, message; pipeline, receipt and trace_id where they are known."""

    def format(self, record: logging.LogRecord) -> str:
        entry = {"time": iso(record.created), "level": record.levelname.lower(), "logger": record.name}
        entry["message"] = record.getMessage()
        for name in ("pipeline", "receipt", "trace_id"):
            if value := getattr(record, name, ""):
                entry[name] = value
        if record.exc_info:
            # Its type only: the text of an exception may quote personal data.
            entry["error"] = getattr(record.exc_info[0], "__name__", "")
        return json.dumps(entry)
