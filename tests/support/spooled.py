"""A file of an outage, as a spool leaves it."""

from __future__ import annotations

from pathlib import Path

from tillpost.model import SpooledFile

NAME = "20260301123000_1_transactions.xml"


def spooled(spool: Path, content: bytes = b"<a/>", name: str = NAME, folder: str = "transactionImport") -> SpooledFile:
    """Written below `spool`, with the size it has."""
    path = spool / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return SpooledFile(name=name, kind="receipts", sha256="", size=len(content), keys=("r",), path=path)
