"""Writes one fallback file onto the disk, whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import TypeVar

from lxml import etree

from tillpost.kit.files import sync_folder
from tillpost.model import FallbackFile
from tillpost_engage.schemas import check_file
from tillpost_engage.xmlnames import Cleaner

T = TypeVar("T")
Group = tuple[str, Iterable[tuple[str, str]]]
"""An element name ("" for none) and the elements below it, each with its key and its text."""


def write_file(
    path: Path,
    kind: str,
    root: etree.QName,
    groups: Iterable[Group],
    transform: Callable[[etree._ElementTree], bytes] | None,
    schema: etree.XMLSchema | None = None,
    record: str | None = None,
) -> FallbackFile | None:
    """Write under a temporary name, read it once, transform, fsync, rename, fsync the folder; None: nothing to write.

    schema: the file is checked by it, with `record` the name of its elements; None where each element was checked
    before. Raises OSError, or schemas.InvalidFileError; then neither name is left.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.part"
    try:
        keys = _stream(part, root, groups)
        if not keys:
            part.unlink()
            return None
        check_file(part, schema, f"{{{root.namespace}}}{record}")
        if transform is not None:
            part.write_bytes(transform(etree.parse(part)))
            check_file(part)
        with part.open("rb+") as written:
            digest = hashlib.file_digest(written, "sha256").hexdigest()
            size = written.tell()
            os.fsync(written.fileno())
        part.rename(path)
    except BaseException:
        with suppress(OSError):
            part.unlink(missing_ok=True)
        raise
    sync_folder(path.parent)
    return FallbackFile(name=path.name, kind=kind, sha256=digest, size=size, keys=keys, path=path)


def _stream(part: Path, root: etree.QName, groups: Iterable[Group]) -> tuple[str, ...]:
    """Write the elements one by one; returns their keys."""
    namespace = Cleaner().value(root.namespace or "")
    keys: list[str] = []
    with part.open("w", encoding="utf-8", newline="", buffering=1 << 18) as file:
        file.write(f"<?xml version='1.0' encoding='utf-8'?>\n<{root.localname} xmlns=\"{namespace}\">")
        for name, elements in groups:
            file.write(f"<{name}>" if name else "")
            for key, element in elements:
                file.write(f"{element}\n")
                keys.append(key)
            file.write(f"</{name}>" if name else "")
        file.write(f"</{root.localname}>")
    return tuple(keys)


def chunks(sized: Iterable[tuple[int, T]], most: int) -> Iterator[tuple[T, ...]]:
    """Cut into runs of at most `most` in size; each item is in exactly one run, in order."""
    run: list[T] = []
    total = 0
    for size, item in sized:
        if run and total + size > most:
            yield tuple(run)
            run, total = [], 0
        run.append(item)
        total += size
    if run:
        yield tuple(run)
