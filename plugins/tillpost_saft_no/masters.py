"""Master data of an audit file, which stands before the transactions that name it.

It is what stays in memory of a document: a few texts for each article, code, and customer.
"""

from __future__ import annotations

import copy
from collections.abc import Iterable, Iterator, Mapping

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost.kit.xml import XmlFormat, as_document, child, local_name, normalize_space


@attrs.frozen
class Kind:
    """A sort of master data: the element it stands in, and its texts, the first `key` of which name it."""

    within: str
    texts: tuple[str, ...]
    key: int = 1


KINDS = {
    "customerSupplier": Kind("customersSuppliers", ("custSupID", "custSupType", "telephone", "eMail")),
    "vatCodeDetail": Kind("vatCodeDetails", ("vatCode", "vatDesc")),
    "article": Kind("articles", ("artID", "artGroupID", "artDesc")),
    "basic": Kind("basics", ("basicType", "basicID", "predefinedBasicID", "basicDesc"), key=2),
}

FORMAT = XmlFormat(
    root="auditfile",
    record="cashtransaction",
    within="cashregister",
    others={
        **{name: kind.within for name, kind in KINDS.items()},
        "event": "cashregister",
        "curCode": "header",
        "name": "location",
        "registerID": "cashregister",
        "cashregister": "location",
        "location": "company",
    },
)

_REFERENCES = {
    "custSupID": ("customerSupplier",),
    "vatCode": ("vatCodeDetail",),
    "artID": ("article",),
    "artGroupID": ("basic", "04"),
    "dscTp": ("basic", "08"),
    "raiseType": ("basic", "10"),
    "transType": ("basic", "11"),
    "eventType": ("basic", "13"),
    "paymentType": ("basic", "12"),
}
"""Elements that name master data: its kind, and the basicType, which is no part of the name."""


@attrs.define
class Masters:
    """What was learnt so far, and where in the document we are."""

    currency: str = ""
    location: str = ""
    register: str = ""
    known: dict[tuple[str, ...], tuple[str, ...]] = attrs.field(factory=dict)

    def learn(self, element: _Element) -> None:
        """An element of FORMAT.others: master data, or the place we are at."""
        match local_name(element):
            case "curCode":
                self.currency = normalize_space(element.text)
            case "name":
                self.location = normalize_space(element.text)
            case "registerID":
                self.register = normalize_space(element.text)
            case "cashregister":
                self.register = ""
            case "location":
                self.location = ""
            case name:
                kind = KINDS[name]
                # As it came, marks of forbidden characters with it: they are to be seen in the record.
                texts = tuple(
                    (found.text or "") if (found := child(element, each)) is not None else "" for each in kind.texts
                )
                self.known[_key(name, *texts[: kind.key])] = texts

    def find(self, *name: str) -> Mapping[str, str]:
        """The texts of master data by kind and key, empty when there is none."""
        texts = self.known.get(_key(*name))
        return {} if texts is None else dict(zip(KINDS[name[0]].texts, map(normalize_space, texts), strict=True))

    def predefined(self, basic_type: str, basic_id: str) -> str:
        """The authority's code of a code of the till; a till may use the authority's codes themselves."""
        return self.find("basic", basic_type, basic_id).get("predefinedBasicID", "") or basic_id

    def document(self, record: _Element) -> bytes:
        """The record as an audit file of its own, with the master data it names."""
        space = f"{{{etree.QName(record).namespace}}}" if etree.QName(record).namespace else ""
        root = etree.Element(f"{space}auditfile", nsmap={None: space[1:-1]} if space else None)
        _leaf(etree.SubElement(root, f"{space}header"), f"{space}curCode", self.currency)
        company = etree.SubElement(root, f"{space}company")
        used = {key: self.known[key] for key in self._named(record) if key in self.known}
        for name, kind in KINDS.items():
            of_kind = [texts for key, texts in used.items() if key[0] == name]
            if of_kind:
                group = etree.SubElement(company, f"{space}{kind.within}")
                for texts in of_kind:
                    entry = etree.SubElement(group, f"{space}{name}")
                    for each, written in zip(kind.texts, texts, strict=True):
                        if written:
                            _leaf(entry, f"{space}{each}", written)
        location = etree.SubElement(company, f"{space}location")
        _leaf(location, f"{space}name", self.location)
        register = etree.SubElement(location, f"{space}cashregister")
        _leaf(register, f"{space}registerID", self.register)
        register.append(copy.deepcopy(record))
        return as_document(root)

    def _named(self, record: _Element) -> Iterator[tuple[str, ...]]:
        seen: set[tuple[str, ...]] = set()
        for key in self._keys(record.iter("{*}*")):
            if key not in seen:
                seen.add(key)
                yield key

    def _keys(self, elements: Iterable[_Element]) -> Iterator[tuple[str, ...]]:
        for element in elements:
            reference = _REFERENCES.get(local_name(element))
            if reference is None:
                continue
            key = _key(*reference, element.text)
            yield key
            if key[0] == "article" and key in self.known:
                yield _key("basic", "04", self.known[key][1])


def _leaf(parent: _Element, name: str, written: str) -> None:
    etree.SubElement(parent, name).text = written


def _key(kind: str, *names: str | None) -> tuple[str, ...]:
    """The key of master data: its names tidied, a basicType with two digits (some tills write "4")."""
    tidied = [normalize_space(name) for name in names]
    if kind == "basic":
        tidied[0] = tidied[0].zfill(2)
    return (kind, *tidied)
