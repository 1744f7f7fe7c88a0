"""Why a document has no records that are read: what stands in it, and where they would be read."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterable
from typing import TYPE_CHECKING

from tillpost import DocumentError

if TYPE_CHECKING:
    from tillpost.kit.xml.stream import XmlFormat

_LONGEST_TAG = 256


def doctype_refused(name: str) -> DocumentError:
    """A document that may have entities is refused."""
    return DocumentError("has a DOCTYPE, which no export needs; take it out and hand the file in again", name)


def no_root(xml_format: XmlFormat, name: str) -> DocumentError:
    """A document whose first piece is well-formed and has no element."""
    return DocumentError(f"does not begin with an element; {_where(xml_format)}", name)


def no_record(most: int, read: int, root: str, xml_format: XmlFormat, name: str) -> DocumentError:
    """A document that goes on for so many bytes without a record."""
    return DocumentError(
        f"has no {' and no '.join(xml_format.records)} element in {most >> 20} MiB; root is {root[:80]}, and"
        f" {_where(xml_format)}; records before that: {read}",
        name,
    )


def check_root(chunks: Iterable[bytes], root: str, xml_format: XmlFormat, name: str) -> None:
    """Raises DocumentError when no root of the format stands in the document, with what stands there.

    The document is searched and not parsed, to the first of the roots.
    """
    written = "|".join(map(re.escape, {*xml_format.roots, *xml_format.records}))
    tag = re.compile(rf"<(?:[^\s<>/:!?]+:)?({written})[\s/>]".encode())
    found: Counter[str] = Counter()
    kept = b""
    for chunk in chunks:
        piece = kept + chunk
        for match in tag.finditer(piece):
            if (element := match[1].decode()) in xml_format.roots:
                return
            found[element] += 1
        # A tag may go on in the next piece; one that is complete has been counted.
        start = piece.rfind(b"<", max(0, len(piece) - _LONGEST_TAG))
        kept = piece[start:] if start >= 0 and not tag.match(piece, start) else b""
    raise DocumentError(f"{_none(found, xml_format)}; root is {root[:80]}, and {_where(xml_format)}", name)


def misplaced(
    strays: Counter[str], first: str, read: int, root: str, xml_format: XmlFormat, name: str
) -> DocumentError:
    """Elements of records where none is read, the first of them with its path, or no record at all."""
    stand = f" (the first is {first[:200]})" if first else ""
    if read:
        message = (
            f"{_count(strays)} where this adapter reads none{stand}; {_where(xml_format)}. The records that stand there"
            f" are accepted: {read}"
        )
    else:
        message = f"{_none(strays, xml_format)}{stand}; root is {root[:80]}, and {_where(xml_format)}"
    return DocumentError(message, name)


def _count(found: Counter[str]) -> str:
    return " and ".join(f"{count} {name} element{'s' * (count != 1)}" for name, count in found.items())


def _none(found: Counter[str], xml_format: XmlFormat) -> str:
    if not found:
        return f"has no {' and no '.join(xml_format.records)} element"
    return f"{_count(found)}, none where this adapter reads them"


def _where(xml_format: XmlFormat) -> str:
    return " and ".join(f"{name} is read in {' or '.join(parents)}" for name, parents in xml_format.records.items())
