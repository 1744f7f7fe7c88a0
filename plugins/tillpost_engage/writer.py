"""One file of the outage, onto the disk whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from lxml import etree

from tillpost.model import SpooledFile
from tillpost_engage.schemas import check_file

Group = tuple[str, Iterable[etree._Element]]
"""An element name ("" for none) and the elements below it, made one by one."""


def write_file(
    path: Path,
    kind: str,
    keys: tuple[str, ...],
    root: etree.QName,
    groups: Iterable[Group],
    schema: etree.XMLSchema,
    transform: Callable[[etree._ElementTree], bytes] | None,
) -> SpooledFile:
    """Write under a temporary name, check by the schema, transform, fsync, rename, fsync the folder.

    Raises OSError, or schemas.InvalidFileError; then nothing is left under either name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.part"
    try:
        _stream(part, root, groups)
        check_file(part, schema)
        if transform is not None:
            part.write_bytes(transform(etree.parse(part)))
            check_file(part, None)
        with part.open("rb+") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            size = written.tell()
            os.fsync(written.fileno())
        part.rename(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    _sync_folder(path.parent)
    return SpooledFile(name=path.name, kind=kind, sha256=digest, size=size, keys=keys, path=path)


def _stream(part: Path, root: etree.QName, groups: Iterable[Group]) -> None:
    namespace = root.namespace or ""
    with part.open("wb") as file, etree.xmlfile(file, encoding="utf-8") as document:
        document.write_declaration()
        with document.element(root.text, nsmap={None: namespace}):
            for name, elements in groups:
                if name:
                    with document.element(f"{{{namespace}}}{name}"):
                        _write_all(document, elements)
                else:
                    _write_all(document, elements)


def _write_all(document: Any, elements: Iterable[etree._Element]) -> None:
    for element in elements:
        document.write(element, "\n")


def _sync_folder(folder: Path) -> None:
    handle = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(handle)
    finally:
        os.close(handle)


def chunks(sized: Iterable[tuple[int, str]], most: int) -> Iterator[tuple[str, ...]]:
    """The keys in runs of at most `most` together; each key is in exactly one run, in order."""
    run: list[str] = []
    total = 0
    for size, key in sized:
        if run and total + size > most:
            yield tuple(run)
            run, total = [], 0
        run.append(key)
        total += size
    if run:
        yield tuple(run)
