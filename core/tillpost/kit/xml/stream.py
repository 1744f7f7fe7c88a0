"""The records of an XML document one by one, in constant memory, by a parser that resolves no entity."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit.xml.decoding import Encoding, clean_chunks
from tillpost.kit.xml.element import local_name
from tillpost.model import Document


@attrs.frozen
class XmlFormat:
    """Where the records of a format stand, by local names.

    root: the document element.
    record, within: the element of one record, and its parent; a record may also be a document of its own.
    others: further elements to yield when they end (master data) → the parent each needs, "" for any.
    """

    root: str
    record: str
    within: str
    others: Mapping[str, str] = {}

    def yields(self, element: _Element) -> bool:
        """Whether the element is a record or one of the others."""
        name, parent = local_name(element), element.getparent()
        if name == self.record and (parent is None or local_name(parent) == self.within):
            return True
        within = self.others.get(name)
        return within is not None and (not within or (parent is not None and local_name(parent) == within))


@attrs.frozen
class XmlRecord:
    """One element and where it stands ("line 3, transaction 2"). The element is cleared when the next is asked for."""

    element: _Element
    place: str


def as_document(element: _Element) -> bytes:
    """The element serialized as an XML document of its own, in UTF-8."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)


def _parser(xml_format: XmlFormat) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=tuple(f"{{*}}{name}" for name in (xml_format.root, xml_format.record, *xml_format.others)),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        encoding="utf-8",
    )


def _refuse_doctype(element: _Element, xml_format: XmlFormat, name: str) -> None:
    # With resolve_entities=False an entity is silently empty text, so a document that may have one is refused.
    if element.getroottree().docinfo.internalDTD is not None:
        raise DocumentError(
            f"has a DOCTYPE, which no {xml_format.root} needs; take it out and hand the file in again", name
        )


def _release(element: _Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def xml_records(document: Document, encoding: Encoding, xml_format: XmlFormat) -> Iterator[XmlRecord]:
    """Every record and other element of the format, in the order in which they end.

    Raises DocumentError for a DOCTYPE (before anything is yielded), where the document ends being well-formed (what
    is before it is yielded), and for a document that has neither root nor record.
    """
    parser, known = _parser(xml_format), False
    counts: Counter[str] = Counter()

    def ready() -> Iterator[XmlRecord]:
        nonlocal known
        for event, element in parser.read_events():
            if not isinstance(element, _Element):
                continue
            if not known:
                _refuse_doctype(element, xml_format, document.name)
                known = True
            if event == "end" and xml_format.yields(element):
                name = local_name(element)
                counts[name] += 1
                yield XmlRecord(element, f"line {element.sourceline}, {name.lower()} {counts[name]}")
                _release(element)

    try:
        for chunk in clean_chunks(document, encoding):
            parser.feed(chunk)
            yield from ready()
        parser.close()
    except etree.XMLSyntaxError as error:
        yield from ready()
        raise DocumentError(
            f"is not well-formed XML at line {error.lineno}: {error.msg}; "
            f"{xml_format.record.lower()}s before it: {counts[xml_format.record]}",
            document.name,
        ) from None
    yield from ready()
    if not known:
        raise DocumentError(f"has no {xml_format.root} and no {xml_format.record} element", document.name)
