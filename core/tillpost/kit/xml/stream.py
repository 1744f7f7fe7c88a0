"""The records of a document one by one, in constant memory, by a parser that resolves nothing."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterator, Mapping

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit.xml.clean import Encoding, chunks
from tillpost.kit.xml.element import local
from tillpost.model import Document


@attrs.frozen
class Form:
    """Where the records of a format stand; all names are local, for vendors keep names and change namespaces.

    root: the element the format begins with.
    record, within: the element of one record, and the one it stands in; a record may be a document of its own.
    others: further elements to be told of when they end (master data), each with the one it stands in, "" for any.
    """

    root: str
    record: str
    within: str
    others: Mapping[str, str] = {}

    def yields(self, element: _Element) -> bool:
        """Whether the element is a record or one of the others."""
        name, parent = local(element), element.getparent()
        if name == self.record and (parent is None or local(parent) == self.within):
            return True
        within = self.others.get(name)
        return within is not None and (not within or (parent is not None and local(parent) == within))


@attrs.frozen
class Record:
    """One element, alive until the next is asked for, and where it stands."""

    element: _Element
    place: str


def document_of(element: _Element) -> bytes:
    """The element as an XML document of its own."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)


def _parser(form: Form) -> etree.XMLPullParser:
    return etree.XMLPullParser(
        events=("start", "end"),
        tag=tuple(f"{{*}}{name}" for name in (form.root, form.record, *form.others)),
        resolve_entities=False,
        no_network=True,
        load_dtd=False,
        huge_tree=False,
        encoding="utf-8",
    )


def _refuse_doctype(element: _Element, form: Form, name: str) -> None:
    # With resolve_entities=False an entity would silently be empty text, so none is let in at all.
    if element.getroottree().docinfo.internalDTD is not None:
        raise DocumentError(f"has a DOCTYPE, which no {form.root} needs; take it out and hand the file in again", name)


def _forget(element: _Element) -> None:
    element.clear()
    parent = element.getparent()
    while parent is not None and element.getprevious() is not None:
        del parent[0]


def records(document: Document, encoding: Encoding, form: Form) -> Iterator[Record]:
    """Every record and other element of the form, in the order in which they end.

    Raises DocumentError for a DOCTYPE (before anything is yielded), for what is not well-formed (after what
    stood before it), and for a document that is not of this form.
    """
    parser, known = _parser(form), False
    counts: Counter[str] = Counter()

    def ready() -> Iterator[Record]:
        nonlocal known
        for event, element in parser.read_events():
            if not isinstance(element, _Element):
                continue
            if not known:
                _refuse_doctype(element, form, document.name)
                known = True
            if event == "end" and form.yields(element):
                name = local(element)
                counts[name] += 1
                yield Record(element, f"line {element.sourceline}, {name.lower()} {counts[name]}")
                _forget(element)

    try:
        for chunk in chunks(document, encoding):
            parser.feed(chunk)
            yield from ready()
        parser.close()
    except etree.XMLSyntaxError as error:
        yield from ready()
        raise DocumentError(
            f"is not well-formed XML at line {error.lineno}: {error.msg}; "
            f"{counts[form.record]} {form.record.lower()}s stood before",
            document.name,
        ) from None
    yield from ready()
    if not known:
        raise DocumentError(f"has no {form.root} and no {form.record} element", document.name)
