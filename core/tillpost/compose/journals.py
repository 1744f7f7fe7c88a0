"""How a command opens the journal of a pipeline. `run` and `accept` may make a new one, never in silence."""

from __future__ import annotations

import logging
from collections.abc import Callable
from contextlib import closing
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NoReturn

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.errors import JournalMissing
from tillpost.journal import Journal
from tillpost.journal.sqlite.commit_mark import mark_path, read_mark
from tillpost.journal.sqlite.doctor.gaps import go_ahead
from tillpost.journal.sqlite.doctor.restore import ask_again
from tillpost.journal.sqlite.outside_mark import Known, OutsideMarks
from tillpost.journal.sqlite.replace_file import pending_replacement
from tillpost.journal.sqlite.store import Store

_log = logging.getLogger("tillpost.journal")


def open_journal(
    pipeline: PipelineConfig, now: float, *, new: bool = False, tell: Callable[[str], None] = _log.warning
) -> Journal:
    """The journal of a pipeline, for a command that accepts receipts. new: a person has asked for a new one.

    tell: is told of a new one, with its place.

    A new one is made where there has never been one, and told with its place. Raises JournalMissing where there has:
    then its disk is not mounted, or it was deleted.
    """
    path, marks = pipeline.state / "journal.db", _marks(pipeline)
    known, made = marks.read(), not is_there(path)
    if made and not new and (known is not None or mark_path(path).exists()):
        raise JournalMissing(_missing(path, known))
    last = max(marks.furthest(), mark.event if (mark := read_mark(path)) is not None else 0)
    if made:
        mark_path(path).unlink(missing_ok=True)
    store = Store(path, marks)
    journal = Journal(pipeline.state, store)
    try:
        if made:
            tell(f"a new journal was made: {path}")
            if not store.remember():
                _log.warning(
                    "%s: nothing outside its folder can remember it (no place beside the configuration or above the"
                    " folder can be written), so a start without its disk would make another one",
                    path,
                )
        what = _behind(path, known, store) if known is not None and not made else ""
        if what or store.last_event < last:
            as_of = journal.latest_time()  # before the event that follows
            why = what or f"{path} ends at event {store.last_event}, and the pipeline had come to event {last}"
            store.write(lambda transaction: go_ahead(transaction, last, now, why))
            if what:
                _tell(journal, store, what, as_of, now, pipeline.retry.confirm_after.total_seconds())
        store.remember()
    except BaseException:
        journal.close()  # open it would keep a repair out
        raise
    return journal


def existing_journal(pipeline: PipelineConfig) -> Journal:
    """The journal of a pipeline, for a command that looks into it. One that was never made is empty, and takes nothing.

    Raises JournalMissing when there was one.
    """
    path, marks = pipeline.state / "journal.db", _marks(pipeline)
    if is_there(path):
        return Journal(pipeline.state, Store(path, marks))
    known = marks.read()
    if known is not None or mark_path(path).exists():
        raise JournalMissing(_missing(path, known))
    return _NoJournal(pipeline.state)


def remember(pipeline: PipelineConfig) -> None:
    """Take the journal that is there now for the right one: a person has restored or repaired it."""
    with closing(Store(pipeline.state / "journal.db", _marks(pipeline))) as store:
        store.remember()


def last_known(pipeline: PipelineConfig) -> int:
    """The last event any journal of the pipeline has come to, as far as is known outside its folder."""
    return _marks(pipeline).furthest()


def is_there(path: Path) -> bool:
    """Whether there is a journal at this path."""
    return path.exists() or pending_replacement(path).exists()


def _marks(pipeline: PipelineConfig) -> OutsideMarks:
    of = {"file": pipeline.file, "pipeline": pipeline.name} if pipeline.file else {}
    return OutsideMarks(pipeline.state, pipeline.marks, of)


class _Empty(Store):
    def write(self, work: object) -> NoReturn:
        """Raises JournalMissing."""
        raise JournalMissing("there is no journal yet; `tillpost run` or `tillpost accept` makes one")


class _NoJournal(Journal):
    """An empty journal in the place of one that was never made."""

    def __init__(self, folder: Path) -> None:
        self._place = TemporaryDirectory(prefix="tillpost-")
        place = Path(self._place.name)
        super().__init__(place, _Empty(place / "journal.db"))
        self.folder = folder

    def close(self) -> None:
        """Remove it."""
        super().close()
        self._place.cleanup()


def _missing(path: Path, known: Known | None) -> str:
    event, where = (f"event {known.event}", known.mark) if known is not None else ("some event", mark_path(path))
    rescued = sorted(path.parent.glob(f"{path.name}.rescued*")) if path.parent.is_dir() else []
    back = f"rename {rescued[-1]} to {path.name}" if rescued else "put it or its folder back"
    return (
        f"{path} is not there, and a journal was: it had come to {event}, says {where}. No new one is made. Mount its"
        f" disk, {back}, or restore a backup (`tillpost journal restore`); when it is gone for good, `tillpost run"
        " --new` begins with an empty one"
    )


def _behind(path: Path, known: Known, store: Store) -> str:
    """Why the journal is not the one that is remembered; "" when it is."""
    if store.token != known.token:
        return f"{path} is another journal than the one that was here, which had come to event {known.event}"
    if store.last_event < known.event:
        return (
            f"{path} is older than what it acknowledged: it ends at event {store.last_event}, and had come to event"
            f" {known.event}"
        )
    return ""


def _tell(journal: Journal, store: Store, what: str, as_of: float, now: float, confirm_after: float) -> None:
    """Record it for `status`, and have open receipts asked for before they are sent: they may have been, since."""
    since = datetime.fromtimestamp(as_of, UTC).isoformat(timespec="seconds") if as_of else "the beginning"
    store.write(lambda transaction: ask_again(transaction, f"the journal is of {since}", now, now + confirm_after))
    step = (
        f"have the documents since {since} read again (accept them again; what is known is a duplicate), or put the"
        " newer journal back; then `tillpost journal losses --settle`"
    )
    journal.losses.record(now, what, step)
    _log.error("%s; receipts accepted since %s may be missing: %s", what, since, step)
