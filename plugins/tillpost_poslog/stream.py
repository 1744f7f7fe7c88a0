"""The transactions of a document one by one, in constant memory, by a parser that resolves nothing."""

from __future__ import annotations

from collections.abc import Iterator

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.model import Document
from tillpost_poslog.clean import Encoding, chunks
from tillpost_poslog.element import local


@attrs.frozen
class Record:
    """One Transaction element, alive until the next is asked for, and where it stands."""

    element: _Element
    place: str


def _parser() -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=("{*}POSLog", "{*}Transaction"),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        encoding="utf-8",
    )


def _refuse_doctype(element: _Element, name: str) -> None:
    # With resolve_entities=False an entity would silently be empty text, so none is let in at all.
    if element.getroottree().docinfo.internalDTD is not None:
        raise DocumentError("has a DOCTYPE, which no POSLog needs; take it out and hand the file in again", name)


def _is_record(element: _Element) -> bool:
    parent = element.getparent()
    return local(element) == "Transaction" and (parent is None or local(parent) == "POSLog")


def _forget(element: _Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def transactions(document: Document, encoding: Encoding) -> Iterator[Record]:
    """Every Transaction, in the document's order.

    Raises DocumentError for a DOCTYPE (before anything is yielded), for what is not well-formed (after what
    stood before it), and for a document without POSLog.
    """
    parser, number, known = _parser(), 0, False

    def ready() -> Iterator[Record]:
        nonlocal number, known
        for event, element in parser.read_events():
            if not isinstance(element, _Element):
                continue
            if not known:
                _refuse_doctype(element, document.name)
                known = True
            if event == "end" and _is_record(element):
                number += 1
                yield Record(element, f"line {element.sourceline}, transaction {number}")
                _forget(element)

    try:
        for chunk in chunks(document, encoding):
            parser.feed(chunk)
            yield from ready()
        parser.close()
    except etree.XMLSyntaxError as error:
        yield from ready()
        raise DocumentError(
            f"is not well-formed XML at line {error.lineno}: {error.msg}; {number} transactions stood before",
            document.name,
        ) from None
    yield from ready()
    if not known:
        raise DocumentError("has no POSLog and no Transaction element", document.name)
