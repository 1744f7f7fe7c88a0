"""The records of an XML document one by one, in constant memory, by a parser that resolves no entity."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from itertools import pairwise

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost import DocumentError
from tillpost.kit.xml.decoding import Encoding, clean_chunks
from tillpost.kit.xml.element import local_name
from tillpost.kit.xml.refusals import check_root, doctype_refused, misplaced, no_record, no_root
from tillpost.model import Document

LARGEST = 32 << 20
"""Bytes that one record may have. A receipt of 5,000 lines has about five million."""
MOST_ELEMENTS = 500_000
"""Elements that one record may have: the smallest cost forty times their bytes in memory."""
MOST_BETWEEN = 8 << 20
"""Bytes without a record or other element."""
MOST_NAMES = 10_000
"""Different names and namespaces of a document: the parser keeps each for as long as its thread lives."""
MOST_ELSEWHERE = 1000
"""Record elements where none is read, after which the rest of the document is not read."""

_ELEMENT = re.compile(rb"<[^\s/>!?]+")
_LONGEST_NAME = 100
_COUNTED = 16
"""Of the pieces of records, one in so many has its names counted; of those between records, which are few, each."""
_PROLOG = re.compile(rb"(?>\s+|<\?.*?\?>|<!--.*?-->)*+", re.DOTALL)
_START_TAG = re.compile(rb"<(?:[^\s<>/:!?]+:)?([^\s<>/:!?]+)")


@attrs.frozen
class XmlFormat:
    """Where the records of a format stand, by local names.

    roots: the elements that hold a document of the format; another element may be around them.
    records: the element of a record → the parents it may have; a record may also be a document of its own.
    others: further elements to yield when they end (master data) → the parents they may have, none for any.
    """

    roots: tuple[str, ...]
    records: Mapping[str, tuple[str, ...]]
    others: Mapping[str, tuple[str, ...]] = {}
    containers: frozenset[str] = attrs.field(init=False)
    """Elements that hold records and others: what was read in them is let go of before they end."""

    @containers.default
    def _containers(self) -> frozenset[str]:
        parents = (*self.records.values(), *self.others.values())
        return frozenset((*self.roots, *(name for names in parents for name in names)))

    def yields(self, name: str, element: _Element) -> bool:
        """Whether the element, whose local name is `name`, is a record or one of the others."""
        parents, parent = self.records.get(name), element.getparent()
        if parents is not None and (parent is None or local_name(parent) in parents):
            return True
        parents = self.others.get(name)
        return parents is not None and (not parents or (parent is not None and local_name(parent) in parents))


@attrs.frozen
class XmlRecord:
    """One element and where it stands ("line 3, transaction 2"). It may be used until the next one is asked for."""

    element: _Element
    place: str


def as_document(element: _Element) -> bytes:
    """The element serialized as an XML document of its own, in UTF-8."""
    return etree.tostring(element, encoding="UTF-8", xml_declaration=True, with_tail=False)


def xml_records(document: Document, encoding: Encoding, xml_format: XmlFormat) -> Iterator[XmlRecord]:
    """Every record and other element of the format, in the order in which they end.

    Comments and processing instructions are no part of what is read: a value with one inside is whole.
    Raises DocumentError for a document without one of the roots and for a DOCTYPE (before anything is yielded), for a
    record of more than LARGEST bytes or MOST_ELEMENTS elements, where the document ends being well-formed, and, when
    all was yielded, for a document without records and for record elements that stand elsewhere.
    """
    chunks = clean_chunks(document, encoding)
    first = next(chunks, b"")
    root = _root_name(first, document.name)
    if root and root not in xml_format.roots and root not in xml_format.records:
        check_root(clean_chunks(document, encoding), root, xml_format, document.name)
    reader = _Reader(xml_format, root, document.name)
    try:
        yield from reader.feed(first)
        if not reader.begun:
            raise no_root(xml_format, document.name)
        for chunk in chunks:
            yield from reader.feed(chunk)
        yield from reader.close()
    except etree.XMLSyntaxError as error:
        yield from reader.ready()
        raise reader.malformed(error) from None
    reader.check_places()


def _root_name(start: bytes, name: str) -> str:
    """The local name of the document element; "" when the document does not begin with one."""
    prolog = _PROLOG.match(start)
    at = prolog.end() if prolog else 0
    if start.startswith(b"<!DOCTYPE", at):
        raise doctype_refused(name)
    found = _START_TAG.match(start, at)
    return found[1].decode(errors="replace") if found else ""


class _Reader:
    """The parser of one document. What was read, and what is no record, is let go of piece by piece."""

    def __init__(self, xml_format: XmlFormat, root_name: str, name: str) -> None:
        self.counts: Counter[str] = Counter()
        self._format, self._root_name, self._name = xml_format, root_name, name
        names = {root_name or xml_format.roots[0], *xml_format.roots, *xml_format.records, *xml_format.others}
        # Without comments and instructions the two halves of a value with one inside are one text.
        self._parser = etree.XMLPullParser(
            events=("start", "end"),
            tag=tuple(f"{{*}}{tag}" for tag in names),
            resolve_entities=False,
            no_network=True,
            load_dtd=False,
            huge_tree=False,
            collect_ids=False,
            remove_comments=True,
            remove_pis=True,
            encoding="utf-8",
        )
        self._root: _Element | None = None
        self._open: _Element | None = None
        """The record, or the other element without records in it, that has begun and has not ended."""
        self._bytes = self._elements = 0
        """Of the open element, or of what stands between two, counted by whole pieces of the document."""
        self._ended = False
        """Whether an element was yielded of the last piece of the document."""
        self._names: set[bytes] = set()
        self._pieces = 0
        self._strays: Counter[str] = Counter()
        """Record elements where none is read, by name."""
        self._first_stray = ""

    @property
    def begun(self) -> bool:
        """Whether the document element has been read."""
        return self._root is not None

    def feed(self, chunk: bytes) -> Iterator[XmlRecord]:
        """What ends in this piece of the document."""
        self._parser.feed(chunk)
        self._ended = False
        yield from self.ready()
        self._measure(chunk)
        self._release()

    def close(self) -> Iterator[XmlRecord]:
        """What is left. Raises XMLSyntaxError when the document is not complete."""
        self._parser.close()
        yield from self.ready()

    def ready(self) -> Iterator[XmlRecord]:
        """What has ended and was not yielded before."""
        for event, element in self._parser.read_events():
            if not isinstance(element, _Element):
                continue
            if self._root is None:
                self._root = element
                # With resolve_entities=False an entity is silently empty text.
                if element.getroottree().docinfo.internalDTD is not None:
                    raise doctype_refused(self._name)
            if event == "start":
                if self._open is None:
                    self._begin(element)
            elif element is self._open:
                self._open, self._bytes = None, 0
                yield self._record(element)
            elif self._open is None:
                name = local_name(element)
                if name in self._format.containers and self._format.yields(name, element):
                    yield self._record(element)

    def malformed(self, error: etree.XMLSyntaxError) -> DocumentError:
        """The error of a document that is not well-formed, by what the parser met first."""
        first = next(iter(self._parser.feed_error_log.filter_from_fatals()), None)
        line, message = (first.line, first.message) if first is not None else (error.lineno, error.msg)
        noun = next(iter(self._format.records))
        return DocumentError(
            f"is not well-formed XML at line {line}: {message}; {noun.lower()}s before it: {self.counts[noun]}",
            self._name,
        )

    def check_places(self) -> None:
        """Raises DocumentError when no record was read, or not every one."""
        read = sum(self.counts[name] for name in self._format.records)
        if self._strays or not read:
            raise misplaced(self._strays, self._first_stray, read, self._root_name, self._format, self._name)

    def _begin(self, element: _Element) -> None:
        name = local_name(element)
        if self._format.yields(name, element):
            if name not in self._format.containers:
                self._open, self._bytes, self._elements = element, 0, 0
        elif name in self._format.records:
            self._strays[name] += 1
            if self._strays[name] > MOST_ELSEWHERE:
                self.check_places()
            if not self._first_stray:
                above = [local_name(ancestor) for ancestor in element.iterancestors()]
                self._first_stray = f"{'/'.join(reversed(above))}/{name} in line {element.sourceline}"

    def _record(self, element: _Element) -> XmlRecord:
        name = local_name(element)
        self._ended = True
        self.counts[name] += 1
        return XmlRecord(element, f"line {element.sourceline}, {name.lower()} {self.counts[name]}")

    def _measure(self, chunk: bytes) -> None:
        read = sum(self.counts[name] for name in self._format.records)
        self._count_names(chunk, read)
        self._bytes += len(chunk)
        if self._open is None:
            if self._bytes > MOST_BETWEEN:
                raise no_record(MOST_BETWEEN, read, self._root_name, self._format, self._name)
            return
        self._elements += chunk.count(b"<") - chunk.count(b"</")
        if self._bytes > LARGEST or self._elements > MOST_ELEMENTS:
            raise DocumentError(
                f"this {local_name(self._open)} is larger than a record may be ({LARGEST >> 20} MiB, {MOST_ELEMENTS}"
                f" elements); records before it: {read}",
                f"{self._name}, line {self._open.sourceline}",
            )

    def _count_names(self, chunk: bytes, read: int) -> None:
        self._pieces += 1
        if self._pieces % _COUNTED and (self._ended or self._open is not None):
            return
        self._names.update(_ELEMENT.findall(chunk))
        parts = chunk.split(b"=")
        for before, after in pairwise(parts):
            name = before.rsplit(None, 1)[-1:]
            self._names.update(name)
            if name and name[0].startswith(b"xmlns"):
                self._names.add(after[:_LONGEST_NAME])
        if len(self._names) > MOST_NAMES:
            raise DocumentError(f"has more than {MOST_NAMES} different names; records before that: {read}", self._name)

    def _release(self) -> None:
        """Let go of all that stands before where the parser is, except in the open element."""
        element = self._root
        while element is not None and element is not self._open and len(element):
            del element[:-1]
            element = element[-1]
