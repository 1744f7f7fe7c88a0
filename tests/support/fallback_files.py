"""A fallback file, as writing leaves it."""

from __future__ import annotations

from pathlib import Path

from tillpost.model import FallbackFile

NAME = "20260301123000_1_transactions.xml"


def written(
    fallback: Path, content: bytes = b"<a/>", name: str = NAME, folder: str = "transactionImport"
) -> FallbackFile:
    """Written below `fallback`, with the size it has."""
    path = fallback / folder / name
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_bytes(content)
    return FallbackFile(name=name, kind="receipts", sha256="", size=len(content), keys=("r",), path=path)
