"""What is in a folder of a server. Names are bytes: a server may have any."""

from __future__ import annotations

import attrs


@attrs.frozen
class Seen:
    """A file on the server at one moment; equal states mean that it was not written to in between.

    changed: whole seconds since 1970, by the server's clock.
    """

    size: int
    changed: int


@attrs.frozen
class Entry:
    """A name in a folder. seen: None for what is not a file."""

    name: bytes
    seen: Seen | None


def join(folder: str, name: bytes) -> bytes:
    """The path of a name in a folder of the settings."""
    return encoded(folder).rstrip(b"/") + b"/" + name


def encoded(folder: str) -> bytes:
    """The path of a folder of the settings."""
    return folder.encode(errors="surrogateescape")
