"""Master data of an audit file, which precedes the transactions that refer to it.

It is kept in memory for the whole document: a few texts for each article, code, and customer. Of a file with more of
them than MOST_KEPT only the articles and customers are kept that a transaction names.
"""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping

import attrs
from lxml import etree
from lxml.etree import _Element

from tillpost.kit.xml import XmlFormat, as_document, child, local_name, normalize_space


@attrs.frozen
class ElementKind:
    """An element of master data: its parent, and the children whose texts are kept; the first `key` are its key."""

    within: str
    texts: tuple[str, ...]
    key: int = 1


ELEMENTS = {
    "customerSupplier": ElementKind("customersSuppliers", ("custSupID", "custSupType", "telephone", "eMail")),
    "vatCodeDetail": ElementKind("vatCodeDetails", ("vatCode", "vatDesc")),
    "article": ElementKind("articles", ("artID", "artGroupID", "artDesc")),
    "basic": ElementKind("basics", ("basicType", "basicID", "predefinedBasicID", "basicDesc"), key=2),
}

MANY = ("article", "customerSupplier")
"""Kinds of master data of which a large retailer has any number."""
MOST_KEPT = 50_000
"""Master data that is kept whether a transaction names it or not."""

FORMAT = XmlFormat(
    roots=("auditfile", "AuditFile"),
    records={"cashtransaction": ("cashregister",), "event": ("cashregister",)},
    others={
        **{name: (kind.within,) for name, kind in ELEMENTS.items()},
        "curCode": ("header",),
        "taxRegistrationCountry": ("company",),
        "name": ("location",),
        "registerID": ("cashregister",),
        "cashregister": ("location",),
        "location": ("company",),
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
"""Element that refers to master data → the kind of that, and its basicType where it has one."""


@attrs.define
class MasterData:
    """The master data read so far, and the country, currency, location and register of the records that follow."""

    country: str = ""
    currency: str = ""
    location: str = ""
    register: str = ""
    known: dict[tuple[str, ...], tuple[str, ...]] = attrs.field(factory=dict)
    codes: int = 0
    """Master data of other kinds than MANY that was added."""
    used: set[tuple[str, ...]] | None = None
    """Of articles and customers, those that are kept; None for all."""

    def add(self, element: _Element) -> None:
        """Add an element of FORMAT.others: master data, or where the records that follow stand."""
        match local_name(element):
            case "curCode":
                self.currency = normalize_space(element.text)
                # By the text of the tag: a namespace may have a brace, with which lxml makes no QName.
                self.country = self.country or str(element.tag).rpartition("}")[0].rpartition(":")[2]
            case "taxRegistrationCountry":
                self.country = normalize_space(element.text) or self.country
            case "name":
                self.location = normalize_space(element.text)
            case "registerID":
                self.register = normalize_space(element.text)
            case "cashregister":
                self.register = ""
            case "location":
                self.location = ""
            case name:
                kind = ELEMENTS[name]
                # Not normalized: replacement characters in them flag the receipt that refers to them.
                texts = tuple(
                    (found.text or "") if (found := child(element, text)) is not None else "" for text in kind.texts
                )
                key = _key(name, *texts[: kind.key])
                self.codes += name not in MANY
                if self.used is None or name not in MANY or key in self.used:
                    self.known[key] = texts

    def keep_only(self, used: set[tuple[str, ...]]) -> None:
        """Of articles and customers, keep those that are used, from here on too."""
        self.used = used
        self.known = {key: texts for key, texts in self.known.items() if key[0] not in MANY or key in used}

    def find(self, *name: str) -> Mapping[str, str]:
        """The texts of master data by kind and key; empty when there is none, and for a reference that is empty."""
        texts = self.known.get(_key(*name)) if name[-1] else None
        return {} if texts is None else dict(zip(ELEMENTS[name[0]].texts, map(normalize_space, texts), strict=True))

    def predefined(self, basic_type: str, basic_id: str) -> str:
        """The authority's code for a code of the till, which may be the authority's own."""
        return self.find("basic", basic_type, basic_id).get("predefinedBasicID", "") or basic_id

    def document(self, record: _Element) -> bytes:
        """The record as an audit file of its own, with the master data it refers to.

        The elements around the record have no namespace: that of the record may be none that can be written.
        """
        root = etree.Element("auditfile")
        _append(etree.SubElement(root, "header"), "curCode", self.currency)
        company = etree.SubElement(root, "company")
        _append(company, "taxRegistrationCountry", self.country)
        used = {key: self.known[key] for key in self._references(record) if key in self.known}
        for name, kind in ELEMENTS.items():
            of_kind = [texts for key, texts in used.items() if key[0] == name]
            if of_kind:
                group = etree.SubElement(company, kind.within)
                for texts in of_kind:
                    entry = etree.SubElement(group, name)
                    for child_name, text in zip(kind.texts, texts, strict=True):
                        if text:
                            _append(entry, child_name, text)
        location = etree.SubElement(company, "location")
        _append(location, "name", self.location)
        register = etree.SubElement(location, "cashregister")
        _append(register, "registerID", self.register)
        register.append(copy.deepcopy(record))
        return as_document(root)

    def _references(self, record: _Element) -> Iterator[tuple[str, ...]]:
        for key in references(record):
            yield key
            if key[0] == "article" and key in self.known:
                yield _key("basic", "04", self.known[key][1])


def references(record: _Element) -> Iterator[tuple[str, ...]]:
    """The keys of master data that a record names."""
    for element in record.iter("{*}*"):
        if reference := _REFERENCES.get(local_name(element)):
            yield _key(*reference, element.text)


def _append(parent: _Element, name: str, text: str) -> None:
    etree.SubElement(parent, name).text = text


def _key(kind: str, *names: str | None) -> tuple[str, ...]:
    """The key of master data: its names normalized, a basicType with two digits (some tills write "4")."""
    normalized = [normalize_space(name) for name in names]
    if kind == "basic":
        normalized[0] = normalized[0].zfill(2)
    return (kind, *normalized)
