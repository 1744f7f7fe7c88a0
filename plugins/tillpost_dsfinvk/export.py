"""A document as the exports in it: a zip of CSV files, or the files one after another in a text."""

from __future__ import annotations

import io
import re
import struct
import zipfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from functools import partial
from typing import IO

import attrs

from tillpost import DocumentError
from tillpost.model import Document
from tillpost_dsfinvk.index import LARGEST, Form, read_index
from tillpost_dsfinvk.settings import Settings
from tillpost_dsfinvk.tables import Table

# The files that are read → their logical names in the standard, which some exports use for the files.
FILES = {
    "transactions": "bonkopf",
    "lines": "bonpos",
    "lines_vat": "bonpos_ust",
    "itemamounts": "bonpos_preisfindung",
    "datapayment": "bonkopf_zahlarten",
    "transactions_vat": "bonkopf_ust",
    "references": "bon_referenzen",
    "cashpointclosing": "stamm_abschluss",
    "location": "stamm_orte",
    "cashregister": "stamm_kassen",
    "vat": "stamm_ust",
}
SUMS = {"payment": "z_zahlart", "businesscases": "z_gv_typ"}
"""The files of a closing's sums, likewise; the record of a receipt has none of them."""
NEEDED = ("transactions", "lines", "datapayment")
OF_BONS = ("lines", "lines_vat", "itemamounts", "datapayment", "transactions_vat", "references")
OF_CLOSINGS = ("cashpointclosing", "location", "cashregister", "vat")
_NAMES = {word: name for name, logical in {**FILES, **SUMS}.items() for word in (name, logical)}
_MAGIC = b"DSFinV-K"
_SECTION = re.compile(rb"^\[([a-z_]+)\.csv\]\r?\n", re.M)
_PACKED = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
_RATIO, _HARMLESS = 200, 16 * 1024 * 1024
"""Rows of an export are packed to a twentieth of their size; so much is unpacked of any zip."""
_DIRECTORY = 4 * 1024 * 1024
"""Bytes of the directory of a zip: it is held in memory, and 20 files need two thousand."""


@attrs.frozen
class Export:
    """The tables of one export.

    sums: the tables of the sums of its closings. stated: the decimal mark that its index.xml names, "" where none does.
    decided: the mark of the export that a record was kept of; "" for an export, where the totals decide.
    """

    tables: Mapping[str, Table]
    stated: str = ""
    decided: str = ""
    sums: Mapping[str, Table] = attrs.field(factory=dict)

    @property
    def transactions(self) -> Table:
        """The heads of receipts."""
        return self.tables["transactions"]


@contextmanager
def opened(document: Document, settings: Settings) -> Iterator[list[Export]]:
    """The exports of a document while it is open. Raises DocumentError for anything else."""
    with document.open() as file:
        start = file.read(8)
        file.seek(0)
        if start[:4] in (b"PK\x03\x04", b"PK\x05\x06"):
            yield _of_zip(file, document.name, settings)
        elif start == _MAGIC:
            yield [_of_text(file.read(settings.largest + 1), document.name, settings)]
        else:
            what = "is empty" if not start else "is neither a zip nor a record of one"
            raise DocumentError(f"{what}; DSFinV-K is many CSV files: hand in their folder as one zip", document.name)


def _of_zip(file: IO[bytes], name: str, settings: Settings) -> list[Export]:
    _check_directory(file, name)
    try:
        archive = zipfile.ZipFile(file)
    except (zipfile.BadZipFile, NotImplementedError, ValueError, struct.error):
        raise DocumentError("is a damaged or truncated zip; make the export again and hand it in", name) from None
    folders: dict[str, dict[str, zipfile.ZipInfo]] = {}
    for info in archive.infolist():
        folder, _, member = info.filename.replace("\\", "/").rpartition("/")
        if member and not folder.startswith("__MACOSX"):
            folders.setdefault(folder, {}).setdefault(member.lower(), info)
    found = [
        export for folder, members in folders.items() if (export := _of_members(archive, folder, members, settings))
    ]
    packed = next((info for info in archive.infolist() if info.compress_type not in _PACKED), None)
    if found and packed is not None:
        raise DocumentError("is packed in a way that is not read; pack it with deflate, as zip does", packed.filename)
    if not found:
        has = ", ".join(sorted(member for members in folders.values() for member in members)[:8]) or "nothing"
        raise DocumentError(f"has no transactions.csv and so no receipts; it has {has[:200]}", name)
    _check_sizes(
        [info for info in archive.infolist() if info.filename.lower().endswith((".csv", ".txt"))], name, settings
    )
    return found


def _check_sizes(files: list[zipfile.ZipInfo], name: str, settings: Settings) -> None:
    """Refuse, by what the zip says of itself, more than is allowed unpacked and what no tables are packed to."""
    size, packed = (sum(sizes) for sizes in zip(*((info.file_size, info.compress_size) for info in files), strict=True))
    if size > settings.unpacked:
        raise DocumentError(
            f"has {size} bytes unpacked, and `unpacked` is {settings.unpacked}; export less at once", name
        )
    if size > _RATIO * packed + _HARMLESS:
        raise DocumentError(f"unpacks {packed} bytes to {size}, as no export does", name)


def _check_directory(file: IO[bytes], name: str) -> None:
    """Refuse a zip whose directory of files would fill the memory (APPNOTE 4.3.16: bytes 12 to 16 of its end)."""
    end = file.seek(0, io.SEEK_END)
    file.seek(max(0, end - 65_557))
    tail = file.read(65_557)
    at = tail.rfind(b"PK\x05\x06")
    file.seek(0)
    if at >= 0 and int.from_bytes(tail[at + 12 : at + 16], "little") > _DIRECTORY:
        raise DocumentError("is a zip of more files than an export has", name)


def _table_name(member: str) -> str:
    """Which table a file is by its name; "" for a file that is not read."""
    stem, _, ending = member.rpartition(".")
    return _NAMES.get(stem, "") if ending in ("csv", "txt") else ""


def _of_members(
    archive: zipfile.ZipFile, folder: str, members: Mapping[str, zipfile.ZipInfo], settings: Settings
) -> Export | None:
    index = _index(archive, folder, members)
    tables: dict[str, Table] = {}
    for member, info in members.items():
        form = index.get(member, Form())
        table = _NAMES.get(form.table, "") or _table_name(member)
        if table and table not in tables and member.endswith((".csv", ".txt")):
            tables[table] = Table(table, info.filename, _form(form, settings), partial(archive.open, info))
    if "transactions" not in tables:
        return None
    _check_needed(tables, f"{folder}/" if folder else "")
    stated = next((form.decimal for form in index.values() if form.decimal in (",", ".")), "")
    return Export(tables, stated, sums={name: tables.pop(name) for name in SUMS if name in tables})


def _index(archive: zipfile.ZipFile, folder: str, members: Mapping[str, zipfile.ZipInfo]) -> dict[str, Form]:
    if "index.xml" not in members:
        return {}
    info = members["index.xml"]
    index = Table("index", info.filename, Form(), partial(archive.open, info))
    return read_index(index.content(LARGEST + 1), index.file)


def _form(form: Form, settings: Settings) -> Form:
    return attrs.evolve(form, codec=settings.encoding) if settings.encoding else form


def _check_needed(tables: Mapping[str, Table], folder: str) -> None:
    for name in NEEDED:
        if name not in tables:
            raise DocumentError(f"is missing beside {folder}transactions.csv; hand in the whole export", f"{name}.csv")


# --- the record of one receipt --------------------------------------------------------------------------------------


def as_text(export: Export, entries: Mapping[str, list[str]]) -> bytes:
    """The rows of one receipt with the headers of their files, as a document of their own."""
    form = export.transactions.form
    stated = f" index={export.stated}" if export.stated else ""
    marks = f"decimal={export.transactions.decimal}{stated} delimiter={form.delimiter} quote={form.quote}"
    parts = [f"DSFinV-K {marks}\n"]
    kept = {**export.tables, **{name: table for name, table in export.sums.items() if name in entries}}
    for name, table in kept.items():
        parts += [f"[{name}.csv]\n", table.head, *map(_guarded, entries.get(name, ()))]
    return "".join(parts).encode(errors="surrogateescape")


def _guarded(text: str) -> str:
    """A row whose cell has a line that looks like the beginning of a file: a blank before it."""
    return re.sub(r"\n(?=\[[a-z_]+\.csv\])", "\n ", text) if "\n[" in text else text


def _of_text(content: bytes, name: str, settings: Settings) -> Export:
    if len(content) > settings.largest:
        raise DocumentError(f"is larger than {settings.largest} bytes; hand in the export as a zip", name)
    head = content[: content.find(b"\n") + 1].decode("ascii", "replace")
    written = dict(re.findall(r"(\w+)=(.)", head))
    form = Form(delimiter=written.get("delimiter", ";"), quote=written.get("quote", '"'))
    if settings.encoding and not _is_utf8(content):
        form = _form(form, settings)
    sections = list(_SECTION.finditer(content))
    tables = {}
    for at, section in enumerate(sections):
        table, end = section[1].decode(), sections[at + 1].start() if at + 1 < len(sections) else len(content)
        if table in FILES or table in SUMS:
            part = content[section.end() : end]
            tables[table] = Table(table, f"{table}.csv", form, partial(io.BytesIO, part))
    if "transactions" not in tables:
        raise DocumentError("has no part [transactions.csv]", name)
    _check_needed(tables, "")
    stated, decided = (mark if (mark := written.get(name, "")) in (",", ".") else "" for name in ("index", "decimal"))
    return Export(tables, stated, decided, {name: tables.pop(name) for name in SUMS if name in tables})


def _is_utf8(content: bytes) -> bool:
    try:
        content.decode()
    except UnicodeDecodeError:
        return False
    return True
