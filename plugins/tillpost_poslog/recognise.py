"""Which dialect a document is in: for people, never for the reading, which tries the names of all dialects."""

from __future__ import annotations

import codecs
import re

from tillpost import DocumentError
from tillpost.kit.xml import detect_encoding
from tillpost.model import Document
from tillpost_poslog.dialects import DIALECTS
from tillpost_poslog.settings import Settings

_LOOKED_AT = 1 << 18
"""Bytes: a namespace may first stand in a transaction."""
_VERSION = re.compile(r"""<(?:[\w.-]+:)?(?:POSLog|Transaction)\b[^>]*\bMajorVersion\s*=\s*["'](\d+)["']""")
_RETAIL_VERSION = re.compile(r"""<(?:[\w.-]+:)?RetailTransaction\b[^>]*\bVersion\s*=\s*["']([\d.]+)["']""")
_TRANSACTION = re.compile(r"<(?:[\w.-]+:)?Transaction[\s>]")


def recognise(document: Document, _: Settings) -> str:
    """The dialect and the version, such as "Retalix R10, POSLog 6"; "" for what holds no Transaction at its start."""
    try:
        encoding = detect_encoding(document)
    except DocumentError:
        return ""
    with document.open() as file:
        start = codecs.getincrementaldecoder(encoding.codec)("replace").decode(file.read(_LOOKED_AT))
    if _TRANSACTION.search(start) is None:
        return ""
    name = next((dialect.name for dialect in DIALECTS if any(mark in start for mark in dialect.marks)), "ARTS")
    found = _VERSION.search(start) or _RETAIL_VERSION.search(start)
    version = found[1] if found is not None else "6" if "BusinessUnit>" in start else "2"
    return f"{name}, POSLog {version}"
