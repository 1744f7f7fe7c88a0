"""One file of the outage, onto the disk whole or not at all."""

from __future__ import annotations

import hashlib
import os
from collections.abc import Callable, Iterable, Iterator
from contextlib import suppress
from pathlib import Path

from lxml import etree

from tillpost.model import SpooledFile
from tillpost_engage.schemas import check_file
from tillpost_engage.xmlnames import Cleaner

Group = tuple[str, Iterable[str]]
"""An element name ("" for none) and the elements below it, each as the text of a line."""


def write_file(
    path: Path,
    kind: str,
    keys: tuple[str, ...],
    root: etree.QName,
    record: str,
    groups: Iterable[Group],
    schema: etree.XMLSchema,
    transform: Callable[[etree._ElementTree], bytes] | None,
) -> SpooledFile:
    """Write under a temporary name, check by the schema, transform, fsync, rename, fsync the folder.

    record: the name of the elements in the groups. Raises OSError, or schemas.InvalidFileError; then nothing is
    left under either name.
    """
    path.parent.mkdir(parents=True, exist_ok=True)
    part = path.parent / f".{path.name}.part"
    try:
        _stream(part, root, groups)
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
    _sync_folder(path.parent)
    return SpooledFile(name=path.name, kind=kind, sha256=digest, size=size, keys=keys, path=path)


def _stream(part: Path, root: etree.QName, groups: Iterable[Group]) -> None:
    namespace = Cleaner().value(root.namespace or "")
    with part.open("w", encoding="utf-8", newline="", buffering=1 << 18) as file:
        file.write(f"<?xml version='1.0' encoding='utf-8'?>\n<{root.localname} xmlns=\"{namespace}\">")
        for name, elements in groups:
            file.write(f"<{name}>" if name else "")
            for element in elements:
                file.write(f"{element}\n")
            file.write(f"</{name}>" if name else "")
        file.write(f"</{root.localname}>")


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
