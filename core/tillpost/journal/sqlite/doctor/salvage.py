"""Copies what can be read of a damaged journal into a new file, and reports what cannot."""

from __future__ import annotations

import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import apsw
import attrs

from tillpost.journal.sqlite.connection import REUSABLE, create_private
from tillpost.journal.sqlite.doctor import gaps
from tillpost.journal.sqlite.doctor.damage import Damage, Progress, encode_row
from tillpost.journal.sqlite.doctor.pages import INDEX_INNER, INDEX_LEAF, TABLE_LEAF, Pages, Row, Value
from tillpost.journal.sqlite.schema import RENAMING, UPGRADES, VERIFYING, upgrade
from tillpost.journal.sqlite.wal import read_wal
from tillpost.journal.sqlite.wal_check import acknowledged_frames, examine_wal, wal_path
from tillpost.journal.tables import counters

_COUNTED = ("counters", "contact_counters", "tally", "contact_tally")
"""Counters, by their old and new names: counted again from the other tables."""

MAGIC = b"SQLite format 3\0"
_CHUNK = 4096


def copy(path: Path, to: Path) -> None:
    """Copy the file, with what was committed in its WAL; blocks the disk cannot read become zeros.

    No process may write to the journal meanwhile.
    """
    _copy_bytes(path, to)
    _fix_header(to)
    fault, wal = examine_wal(path), read_wal(wal_path(path))
    if wal is not None and (fault is None or fault.own):
        wal.apply(to, wal.committed(acknowledged_frames(path, wal)))
    with to.open("r+b") as file:
        file.seek(18)
        file.write(b"\1\1")  # no WAL beside it


def _copy_bytes(source: Path, to: Path) -> None:
    with source.open("rb", buffering=0) as file, open(to, "wb", opener=_private) as target:
        size = os.fstat(file.fileno()).st_size
        for at in range(0, size, _CHUNK):
            wanted = min(_CHUNK, size - at)
            try:
                data = os.pread(file.fileno(), wanted, at)
            except OSError:
                data = b""
            target.write(data.ljust(wanted, b"\0"))


def _private(path: str, flags: int) -> int:
    return os.open(path, flags, 0o600)


def _fix_header(path: Path) -> None:
    """Replace a damaged header by that of a new journal, so that the other pages can be read."""
    with path.open("r+b") as file:
        header = file.read(100)
        if header[:16] == MAGIC and len(header) == 100:
            return
        size = os.fstat(file.fileno()).st_size
        memory = apsw.Connection(":memory:")
        upgrade(memory)
        fresh = bytearray(memory.serialize("main")[:100])
        memory.close()
        fresh[18:20] = b"\2\2"  # WAL
        fresh[28:40] = (size // _CHUNK).to_bytes(4, "big") + bytes(8)  # pages; no free list
        file.seek(0)
        file.write(fresh)
        file.truncate(max(size, _CHUNK))


def problems(connection: apsw.Connection, most: int = 100) -> list[str]:
    """The messages of SQLite's check of the pages; empty when they are undamaged."""
    try:
        lines = [str(row[0]) for row in connection.execute(f"PRAGMA integrity_check({most})")]
    except apsw.Error as error:
        return [f"{type(error).__name__}: {error}"]
    if lines != ["ok"]:
        return [line for text in lines for line in text.splitlines()]
    return [text for table in _tables(connection) if (text := _undecodable(connection, table))]


def _undecodable(connection: apsw.Connection, table: _Shape) -> str:
    """Texts that are not UTF-8, which SQLite's check does not find and which cannot be read."""
    texts = [name for name, kinds in zip(table.columns, table.kinds, strict=True) if str in kinds]
    try:
        for _ in connection.execute(f'SELECT {", ".join(texts)} FROM "{table.name}"') if texts else ():  # noqa: S608
            pass
    except UnicodeDecodeError:
        return f"table {table.name} has text that is not UTF-8"
    except apsw.Error as error:
        return f"table {table.name}: {type(error).__name__}: {error}"
    return ""


def rebuild(damaged: Path, new: Path, progress: Progress = lambda text: None) -> list[Damage]:
    """Fill a new journal with every row that can be read of `damaged`, a copy that no process writes."""
    return _Rebuilding(Pages(damaged), new, progress).all()


@attrs.frozen
class _Shape:
    """The shape of the rows of a table or an index in a page, in the order of storage."""

    name: str
    rowids: bool
    columns: tuple[str, ...]
    kinds: tuple[tuple[type, ...], ...]
    alias: int | None = None
    """The column that is the rowid itself, stored as NULL."""

    def holds(self, row: Row) -> bool:
        """Whether a row has this shape."""
        if (row.rowid is not None) != self.rowids or len(row.values) != len(self.columns):
            return False
        return all(isinstance(value, kinds) for value, kinds in zip(row.values, self.kinds, strict=True))


class _Rebuilding:
    def __init__(self, pages: Pages, new: Path, progress: Progress) -> None:
        self._pages = pages
        self._progress = progress
        create_private(new)
        self._new = apsw.Connection(str(new))
        self._new.pragma("auto_vacuum", REUSABLE)
        self._new.pragma("synchronous", "off")  # one sync at the end, by the swap
        version = int.from_bytes(pages.raw(1)[60:64], "big") if pages.count else 0
        self._version = version if 0 < version <= len(UPGRADES) else len(UPGRADES)
        upgrade(self._new, self._version)
        self._tables = list(_tables(self._new))
        self._indexes = list(_indexes(self._new))
        self._found: list[Damage] = []

    def all(self) -> list[Damage]:
        with self._new:
            self._new.execute("DELETE FROM tenant" if self._version < RENAMING else "DELETE FROM destination")
            if self._version >= VERIFYING:
                self._new.execute("DELETE FROM verification")
                self._new.execute("DELETE FROM identity")
            roots = self._roots()
            for table in self._tables:
                self._progress(f"reading {table.name}")
                if table.name in roots:
                    for row in self._pages.tree(roots[table.name], table.rowids):
                        self._put(table, row)
                self._report(table.name, derived=table.name in _COUNTED)
            for index in self._indexes:
                if index.name in roots:
                    for _ in self._pages.tree(roots[index.name], False):
                        pass
                self._report(f"index {index.name}", derived=True)
            free = self._pages.skip_free()
            self._lost_pages()
            if not free:
                self._add("free list", "pages", "cannot be followed", "nothing", "recreated")
            self._gaps()
        upgrade(self._new)
        counters.recount(self._new)
        self._new.close()
        return self._found

    def _roots(self) -> dict[str, int]:
        roots = {
            str(row.values[1]): root
            for row in self._pages.tree(1, True)
            if len(row.values) >= 5 and isinstance(root := row.values[3], int) and root > 1
        }
        self._report("schema")
        return roots

    def _put(self, table: _Shape, row: Row) -> None:
        if table.name in _COUNTED:
            return  # counted again at the end
        values: list[Value] = list(row.values)
        if table.alias is not None and len(values) > table.alias:
            values[table.alias] = row.rowid
        names = table.columns[: len(values)]
        stored = False
        if len(values) <= len(table.columns):
            marks = ", ".join("?" * len(values))
            self._new.execute(
                f'INSERT OR IGNORE INTO "{table.name}" ({", ".join(names)}) VALUES ({marks})',  # noqa: S608 - our names
                values,
            )
            stored = bool(self._new.changes())
        if not stored:
            key = str(values[table.alias] if table.alias is not None else values[0] if values else "")
            raw = encode_row(list(names), tuple(values))
            self._add(table.name, key, "does not fit its table", "the row", "kept in the quarantine", raw)

    def _report(self, table: str, derived: bool = False) -> None:
        for bad in self._pages.bad:
            lost = "nothing: it is recreated from the rows" if derived else "the rows that are named below"
            remedy = "recreated" if derived else "kept in the quarantine; the other rows are used"
            self._add(table, f"page {bad.page}", bad.reason, lost, remedy, b"" if derived else bad.raw)
        self._pages.bad.clear()

    def _lost_pages(self) -> None:
        """Assign the pages below a damaged one to tables by the shape of their rows."""
        for number in range(2, self._pages.count + 1):
            if number in self._pages.seen:
                continue
            kind, rows = self._pages.leaf(number)
            self._pages.bad.clear()  # most of these pages are overflow of rows that are lost
            if kind not in (TABLE_LEAF, INDEX_LEAF, INDEX_INNER) or not rows:
                continue
            shapes = [each for each in [*self._tables, *self._indexes] if all(each.holds(row) for row in rows)]
            tables = [each for each in shapes if each in self._tables]
            if len(shapes) == 1 and tables:
                for row in rows:
                    self._put(tables[0], row)
            elif tables:
                names = " or ".join(each.name for each in tables)
                raw = self._pages.raw(number)
                self._add(names, f"page {number}", "its table is unknown", f"{len(rows)} rows", "quarantine", raw)

    def _gaps(self) -> None:
        """Report missing rows that were not removed."""
        if not self._found:
            return
        for damage in list(gaps.examine(self._new)):
            if damage.fix is not None:
                damage.fix(self._new, 0.0)  # or the check of the rows would report it again
            self._found.append(attrs.evolve(damage, fix=None))
        if lost := gaps.lost_events(self._new):
            first, last = self._new.execute("SELECT min(seq), max(seq) FROM events").get
            self._add("events", f"{first} to {last}", f"{lost} rows are gone", f"{lost} events", "nothing to be done")

    def _add(self, table: str, row: str, reason: str, lost: str, remedy: str, raw: bytes = b"") -> None:
        self._found.append(Damage(table=table, row=row, reason=reason, lost=lost, remedy=remedy, raw=raw))


_KINDS: dict[str, tuple[type, ...]] = {"TEXT": (str,), "INTEGER": (int,), "REAL": (int, float), "BLOB": (bytes,)}


def _tables(connection: apsw.Connection) -> Iterator[_Shape]:
    for name, without in connection.execute(
        "SELECT name, wr FROM pragma_table_list WHERE schema = 'main' AND type = 'table' AND name NOT LIKE 'sqlite%'"
    ):
        info = list(connection.execute('SELECT name, type, "notnull", pk FROM pragma_table_xinfo(?)', (name,)))
        if without:
            info = sorted(info, key=lambda column: column[3] or 99)  # the key comes first
        alias = None if without else next((at for at, column in enumerate(info) if column[3]), None)
        kinds = tuple(
            (type(None),) if at == alias else _KINDS[kind] + (() if needed or key else (type(None),))
            for at, (_, kind, needed, key) in enumerate(info)
        )
        yield _Shape(name, not without, tuple(column[0] for column in info), kinds, alias)


def _indexes(connection: apsw.Connection) -> Iterator[_Shape]:
    tables = {table.name: table for table in _tables(connection)}
    for name, table in list(connection.execute("SELECT name, tbl_name FROM sqlite_schema WHERE type = 'index'")):
        of: Any = tables[table]
        columns = list(connection.execute("SELECT cid, name FROM pragma_index_xinfo(?) ORDER BY seqno", (name,)))
        kinds = [
            (int,) if column is None or of.alias == of.columns.index(column) else of.kinds[of.columns.index(column)]
            for _, column in columns
        ]
        yield _Shape(name, False, tuple(str(column) for _, column in columns), tuple(kinds))
