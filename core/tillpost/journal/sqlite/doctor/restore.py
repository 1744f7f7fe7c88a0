"""Restore: a backup replaces a journal. The destination is asked for receipts that may have been sent since."""

from __future__ import annotations

from collections.abc import Mapping
from contextlib import suppress
from datetime import UTC, datetime
from pathlib import Path

import apsw
import attrs

from tillpost.errors import JournalError, UsageError
from tillpost.journal.database import Transaction
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.sqlite.commit_mark import LAST_EVENT, read_mark
from tillpost.journal.sqlite.connection import opened
from tillpost.journal.sqlite.doctor.damage import Damage, Progress
from tillpost.journal.sqlite.doctor.gaps import go_ahead
from tillpost.journal.sqlite.doctor.reading import exclusive_work, kept_path, require_journal
from tillpost.journal.sqlite.doctor.repair import fix
from tillpost.journal.sqlite.doctor.salvage import copy, problems
from tillpost.journal.sqlite.replace_file import replace_journal, sync
from tillpost.journal.sqlite.schema import upgrade
from tillpost.journal.sqlite.sqlite_errors import SQLITE
from tillpost.journal.states import OPEN, State

_BLOCK = 10_000
"""Receipts whose move is one statement's."""


@attrs.frozen(kw_only=True)
class Restored:
    """The journal that was restored.

    as_of: seconds since 1970 of the last event in the backup. asked: receipts that may have been sent since, and are
    asked for first; unknown: those of them whose contact has no id to ask by, which are sent again under the same id.
    open_files: fallback files that may have gone up since, and go up again. newer: receipts of the journal that was
    replaced that the backup does not have; None when there was none or nobody knows. read_again: how
    many of them came from a source whose place that journal has. kept: where it is now.
    """

    receipts: int
    as_of: float
    asked: int
    unknown: int
    open_files: int
    damages: list[Damage]
    newer: int | None
    read_again: Mapping[str, int] = {}
    kept: Path | None


def restore(
    folder: Path,
    backup: Path,
    now: float,
    confirm_after: float,
    replace: bool = False,
    progress: Progress = lambda text: None,
    known: int = 0,
) -> Restored:
    """Replace the journal of a state folder by a backup. The caller holds its RunLock.

    confirm_after: seconds after which the destination shows what it took; until then nothing is asked for. replace:
    keep a journal that is there beside it. known: the last event that is known outside the folder. A crash leaves the
    one or the other. Raises UsageError when one is there and may not be replaced, JournalError when the backup is none,
    is damaged or newer than this Tillpost; then nothing was changed.
    """
    require_journal(backup, "a backup of a journal")
    folder.mkdir(mode=0o700, parents=True, exist_ok=True)
    with exclusive_work(folder) as place:
        path = folder / "journal.db"
        if path.exists() and not replace:
            raise UsageError(f"{folder} has a journal; --replace puts the backup in its place and keeps it aside")
        new = place / "new.db"
        mark = read_mark(path)
        known = max(known, mark.event if mark is not None else 0, _last_event(path) if path.exists() else 0)
        progress("copying the backup")
        copy(backup, new)
        try:
            restored = _prepared(new, backup, folder / "fallback", now, now + confirm_after, progress, known)
        except (apsw.CorruptError, apsw.NotADBError) as error:
            raise _damaged(backup, str(error)) from error
        newer, read_again = _newer(path, new) if path.exists() else (None, {})
        sync(new)
        kept = kept_path(path, "replaced", now) if path.exists() else None
        for marks in ("crash_marks", "crash_marks.counts"):
            (folder / marks).unlink(missing_ok=True)  # of the journal that is replaced
        replace_journal(path, new, kept)
        return attrs.evolve(restored, newer=newer, read_again=read_again, kept=kept)


def _prepared(
    new: Path, backup: Path, fallback: Path, now: float, due: float, progress: Progress, known: int
) -> Restored:
    with opened(new) as connection:
        connection.pragma("synchronous", "off")  # one sync at the end, before the swap
        with suppress(apsw.Error):  # damaged, as the next line says
            if not connection.execute("SELECT count(*) FROM sqlite_schema WHERE name = 'receipts'").get:
                raise JournalError(f"{backup} is not a backup of a journal; nothing was changed")
        progress("checking the pages")
        if found := problems(connection):
            raise _damaged(backup, found[0])
        as_of = connection.execute("SELECT at FROM events ORDER BY seq DESC LIMIT 1").get or 0.0
        upgrade(connection)
        reason = f"restored from a backup of {datetime.fromtimestamp(as_of, UTC).isoformat(timespec='seconds')}"
        with connection:
            go_ahead(connection, known, now, reason)
        damages = fix(connection, fallback, now, progress)
        progress("marking what may have been sent since")
        with connection:
            asked, unknown = ask_again(connection, reason, now, due)
        if (quick := connection.execute("PRAGMA quick_check(1)").get) != "ok":
            raise JournalError(f"{backup}: the restored journal is damaged: {quick}; nothing was changed")
        return Restored(
            receipts=connection.execute("SELECT count(*) FROM receipts").get,
            as_of=as_of,
            asked=asked,
            unknown=unknown,
            open_files=connection.execute("SELECT count(*) FROM files WHERE state = 'written'").get,
            damages=damages,
            newer=None,
            kept=None,
        )


def _damaged(backup: Path, found: str) -> JournalError:
    return JournalError(
        f"{backup}: damaged: {found}; nothing was changed. Take another one; or put it into an empty state folder as"
        " journal.db, and `tillpost journal repair` saves what can be read"
    )


def ask_again(connection: Transaction, reason: str, now: float, due: float) -> tuple[int, int]:
    """Make open receipts uncertain: the destination may have them by now. Returns how many, and those without an id."""
    marks = ", ".join("?" * len(OPEN))
    rows = list(
        connection.execute(
            f"SELECT receipts.seq, attempts, coalesce(contact_id, '') <> '' FROM receipts"  # noqa: S608 - ours
            f" LEFT JOIN contacts ON contacts.key = receipts.contact WHERE receipts.state IN ({marks})"
            " ORDER BY receipts.seq",
            OPEN,
        )
    )
    by_attempts: dict[int, list[int]] = {}
    for seq, attempts, _ in rows:
        by_attempts.setdefault(attempts, []).append(seq)
    # Contacts may have been merged or erased since the backup.
    connection.execute("UPDATE contacts SET confirmed_at = -abs(confirmed_at)")
    for attempts, seqs in by_attempts.items():
        move = Move(state=State.UNCERTAIN, due=due, attempts=attempts, reason=reason)
        for at in range(0, len(seqs), _BLOCK):
            apply_moves(connection, seqs[at : at + _BLOCK], move, now, "restore")
    return len(rows), sum(not known for _, _, known in rows)


def _last_event(path: Path) -> int:
    """The last event of the journal that is replaced; 0 where it cannot be read."""
    with opened(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        try:
            return int(connection.execute(LAST_EVENT).get)
        except SQLITE:
            return 0
        finally:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)


_NEWER = "FROM main.receipts AS old WHERE NOT EXISTS (SELECT 1 FROM restored.receipts AS new WHERE new.id = old.id)"
_PLACED = f"""
    SELECT documents.source, count(*) FROM main.documents JOIN main.cursors USING (source)
    JOIN main.document_rows ON document = documents.seq
    JOIN (SELECT seq {_NEWER}) AS missing ON missing.seq BETWEEN first AND last GROUP BY 1
"""  # noqa: S608 - ours


def _newer(path: Path, new: Path) -> tuple[int | None, dict[str, int]]:
    """The number of receipts of the old journal that the restored one does not have, and of those of each source whose
    place it has. No number when nobody knows: it cannot be read, or has none more and losses of its own, such as those
    of a restore before this one."""
    with opened(path, apsw.SQLITE_OPEN_READWRITE) as connection:
        try:
            connection.execute("ATTACH ? AS restored", (str(new),))
            newer = int(connection.execute(f"SELECT count(*) {_NEWER}").get)
            losses = connection.execute("SELECT count(*) FROM main.losses WHERE settled_at IS NULL").get
            if losses and not newer:
                return None, {}
            with suppress(apsw.SQLError):  # an older schema, without cursors
                return newer, dict(connection.execute(_PLACED))
            return newer, {}
        except SQLITE:
            return None, {}
        finally:
            with suppress(apsw.Error):
                connection.config(apsw.SQLITE_DBCONFIG_NO_CKPT_ON_CLOSE, 1)
