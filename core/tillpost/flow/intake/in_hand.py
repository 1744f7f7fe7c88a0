"""Documents in hand: which document is being read, marked so that an end of the process can be counted against it."""

from __future__ import annotations

import base64
import threading
from collections.abc import Callable
from contextlib import AbstractContextManager
from typing import Any

import attrs

from tillpost.errors import DocumentError
from tillpost.flow.retry_policy import MAX_CRASHES
from tillpost.flow.trials import SUSPECT, Trials, Verdict, blame, try_apart
from tillpost.journal import Reading
from tillpost.journal.database import CrashCounter
from tillpost.journal.tables.documents import Documents
from tillpost.model import Document


class DocumentsInHand:
    """The documents of one pipeline that are being read, by its process or by `tillpost accept`."""

    def __init__(self, marks: Callable[[str], CrashCounter]) -> None:
        """marks: those of a purpose; two processes with one file would overwrite each other's marks."""
        self._marks_of = marks
        self._lock = threading.Lock()
        self._marks: dict[str, CrashCounter] = {}
        self._left: set[int] = set()
        self._killers: set[int] = set()

    def holding(self, reading: Reading) -> AbstractContextManager[None]:
        """The document is being read inside the block."""
        return self._of(reading).holding(_number(reading.document))

    def examine(self, reading: Reading, documents: Documents, trials: Trials | None, now: float) -> Fault | None:
        """What stands against reading a document on, when it was in hand at ends of the process; None: nothing does.

        After the second end it is tried in a process of its own.
        """
        self._of(reading)
        number = _number(reading.document)
        if number not in self._left and number not in self._killers:
            return None
        crashes = MAX_CRASHES
        if number in self._left:
            self._left.discard(number)
            crashes = documents.count_crash(reading, "the process ended while it was read", now)
        if trials is None:
            if crashes < MAX_CRASHES:
                return None
            verdict = Verdict(died=True, how="trials are not possible here")
        elif crashes < SUSPECT:
            return None
        else:
            verdict = try_apart(trials, _job(reading.document))
        if not verdict.died:
            self._killers.discard(number)
            return None
        self._killers.add(number)
        where = f"after record {verdict.records}" if verdict.records else "before its first record"
        return Fault(verdict.records, DocumentError(f"{where} {blame('reads it', verdict)}", reading.document.name))

    def _of(self, reading: Reading) -> CrashCounter:
        purpose = "accept" if reading.source == "accept" else "source"
        with self._lock:
            if purpose not in self._marks:
                marks = self._marks_of(f"{purpose}_in_hand")
                self._left.update(marks.marked())
                marks.clear()
                self._marks[purpose] = marks
            return self._marks[purpose]


@attrs.frozen
class Fault:
    """Reading the document ends the process after so many records."""

    records: int
    error: DocumentError


def _number(document: Document) -> int:
    return int(document.sha256[:15] or "0", 16) or 1


def _job(document: Document) -> dict[str, Any]:
    if document.path is not None:
        return {"do": "read", "name": document.name, "path": str(document.path.absolute())}
    return {"do": "read", "name": document.name, "content": base64.b64encode(document.content or b"").decode()}
