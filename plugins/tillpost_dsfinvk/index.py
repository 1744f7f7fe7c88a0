"""index.xml: which file is which table, and how its numbers and texts are written (GDPdU, 01-09-2004)."""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

import attrs

from tillpost import DocumentError
from tillpost.kit.xml import child, children, local_name, text

_DOCTYPE = re.compile(rb"<!DOCTYPE\s+[\w:-]+(?:\s+(?:SYSTEM|PUBLIC)(?:\s*(?:\"[^\"<>]*\"|'[^'<>]*')){1,2})?\s*>")
_CODECS = {"UTF8": "utf-8", "UTF16": "utf-16", "ANSI": "windows-1252", "OEM": "cp850", "Macintosh": "mac-roman"}
LARGEST = 4 * 1024 * 1024


@attrs.frozen
class Form:
    """How a CSV file is written.

    codec: its encoding, "" where nothing says so. names: its columns in order, where index.xml lists them. decimal: the
    mark in its numbers, "" where nothing says so.
    """

    codec: str = ""
    delimiter: str = ";"
    quote: str = '"'
    decimal: str = ""
    names: tuple[str, ...] = ()
    table: str = ""


def read_index(content: bytes, place: str) -> dict[str, Form]:
    """File name in lower case → its form. Raises DocumentError for declarations of its own (entities)."""
    from lxml import etree

    if len(content) > LARGEST:
        raise DocumentError(f"is larger than {LARGEST} bytes; an index of 20 files is not", place)
    # The standard has every index name its DTD; a document type with declarations of its own is not taken.
    content = _DOCTYPE.sub(b"", content, count=1)
    if b"<!DOCTYPE" in content or b"<!ENTITY" in content:
        raise DocumentError("has a DOCTYPE with declarations, which is not read", place)
    # A company's name with a bare & is no reason to leave the receipts unread: what is no XML is passed over.
    parser = etree.XMLParser(
        resolve_entities=False, no_network=True, load_dtd=False, remove_comments=True, recover=True
    )
    try:
        root = etree.fromstring(content, parser)
    except (etree.XMLSyntaxError, ValueError):
        root = None
    return dict(_tables(root)) if root is not None else {}


def _tables(root: Any) -> Iterator[tuple[str, Form]]:
    for media in children(root, "Media"):
        for table in children(media, "Table"):
            columns = child(table, "VariableLength")
            if columns is None:
                continue
            names = (
                text(one, "Name") for one in columns if local_name(one) in ("VariableColumn", "VariablePrimaryKey")
            )
            yield (
                text(table, "URL").replace("\\", "/").rpartition("/")[2].lower(),
                Form(
                    codec=next((codec for name, codec in _CODECS.items() if child(table, name) is not None), ""),
                    delimiter=_mark(columns, "ColumnDelimiter", ";"),
                    quote=_mark(columns, "TextEncapsulator", '"'),
                    decimal=_mark(table, "DecimalSymbol", ""),
                    names=tuple(name.upper() for name in names if name),
                    table=text(table, "Name").lower(),
                ),
            )


def _mark(parent: Any, name: str, default: str) -> str:
    """One character that the index names; a blank one (a tab) is not stripped away."""
    found = child(parent, name)
    written = (found.text or "") if found is not None else ""
    return written if len(written) == 1 else written.strip()[:1] or default
