"""Whether a document is worth reading on: something was recognised in it, and not too much of it is broken."""

from __future__ import annotations

from collections.abc import Generator, Iterator
from contextlib import closing

from tillpost.errors import DocumentError
from tillpost.model import Broken, Parsed

MOST_BROKEN = 1000
"""Broken records of a document after which it is set aside, when they are half of its records or more."""


def worth_reading(records: Generator[Parsed, None, None], name: str) -> Iterator[Parsed]:
    """The records of the document of this name.

    Raises DocumentError when there was none, so that a document is never done of which nothing was read, and after
    MOST_BROKEN broken ones: each is kept for a person, and wrong settings or a hostile sender make any number of them.
    """
    number = broken = 0
    with closing(records):
        for number, record in enumerate(records, 1):
            yield record
            if isinstance(record, Broken):
                broken += 1
                if broken >= MOST_BROKEN and 2 * broken >= number:
                    raise DocumentError(
                        f"{broken} of its first {number} records cannot be read, the last because of {record.reason}; "
                        "the rest is not read: fix the file or the settings, and hand it in again",
                        name,
                    )
    if not number:
        raise DocumentError("has no record: nothing of the adapter's format was recognised in it", name)
