"""The two kinds of file, read into the shapes the API takes. Source: contract, section 3."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import attrs
from lxml import etree

from tillpost_sandbox.receipts import RECEIPT, Field

RECEIPTS_NAMESPACE = "http://voyado.Schemas.ImportReceipts"
MOST_LINES = 20_000  # contacts, or lines of receipts, in one file

_DECIMAL = re.compile(r"-?[0-9]+(\.[0-9]+)?")
_INTEGER = re.compile(r"-?[0-9]{1,18}")
_CLOSED = re.compile(rb"(</[^<>]+>|/>)\s*\Z")


@attrs.define
class UnreadableError(Exception):
    """A major error: the whole file is skipped. `kind` is the log's word for it."""

    kind: str
    message: str


@attrs.frozen
class Record:
    """One receipt or contact of a file: its line, its fields, and what left the contract's order."""

    line: int
    body: dict[str, Any]
    group: str = ""  # new or updated, of a contact
    disordered: tuple[str, ...] = ()


def read_receipts(raw: bytes) -> list[Record]:
    """The receipts of a file. Raises UnreadableError."""
    root = _root(raw, "transactions", RECEIPTS_NAMESPACE)
    records = []
    for element in _elements(root):
        if _name(element, RECEIPTS_NAMESPACE) != "transaction":
            raise UnreadableError("not-valid", f"line {element.sourceline}: expected transaction")
        disordered: list[str] = []
        body = _object(element, RECEIPT, disordered)
        records.append(Record(element.sourceline or 0, body, disordered=tuple(disordered)))
    lines = sum(len(record.body.get("items") or ()) for record in records)
    if lines > MOST_LINES:
        raise UnreadableError("too-large", f"{lines} transaction lines, at most {MOST_LINES} a file")
    named = [contact for record in records if isinstance(contact := record.body.get("contact"), dict)]
    types = {kind.casefold() for contact in named if isinstance(kind := contact.get("matchKeyType"), str)}
    if len(types) > 1:
        raise UnreadableError("mixed-match-key-types", f"{len(types)} matchKeyTypes, one a file")
    return records


def read_contacts(raw: bytes, root_name: str, namespace: str) -> list[Record]:
    """The contacts of a file, those of `new` and those of `updated`. Raises UnreadableError."""
    root = _root(raw, root_name, namespace)
    records = []
    for group in _elements(root):
        group_name = _name(group, namespace)
        if group_name not in ("new", "updated"):
            raise UnreadableError("not-valid", f"line {group.sourceline}: expected new or updated")
        for element in _elements(group):
            if _name(element, namespace) not in ("member", "contact"):
                raise UnreadableError("not-valid", f"line {element.sourceline}: expected member or contact")
            records.append(Record(element.sourceline or 0, _contact(element, namespace), group_name))
    if len(records) > MOST_LINES:
        raise UnreadableError("too-large", f"{len(records)} contacts, at most {MOST_LINES} a file")
    return records


def _root(raw: bytes, name: str, namespace: str) -> etree._Element:
    try:
        raw.decode("utf-8")
    except UnicodeDecodeError as error:
        if error.end < len(raw) or error.reason != "unexpected end of data":
            raise UnreadableError("not-utf-8", f"byte {error.start} is not UTF-8") from None
    parser = etree.XMLParser(resolve_entities=False, no_network=True, load_dtd=False)
    try:
        root = etree.fromstring(raw, parser)
    except etree.XMLSyntaxError as error:
        # A file that stops before its end was most likely read while it was still being written.
        end = _CLOSED.search(raw[-400:])
        kind = "not-well-formed" if end and (name.encode() in end[1] or end[1] == b"/>") else "partial"
        line = error.position[0] if error.position else 0
        raise UnreadableError(kind, f"not well-formed at line {line}") from None
    info = root.getroottree().docinfo
    if info.doctype:
        raise UnreadableError("doctype", "a DOCTYPE is refused")
    if (info.encoding or "UTF-8").upper() not in ("UTF-8", "UTF8"):
        raise UnreadableError("not-utf-8", "the declared encoding is not UTF-8")
    if root.tag != f"{{{namespace}}}{name}":
        raise UnreadableError("wrong-root", f"the root must be {name} in the namespace {namespace}")
    return root


def _elements(parent: etree._Element) -> Iterator[etree._Element]:
    return (child for child in parent if isinstance(child.tag, str))


def _name(element: etree._Element, namespace: str) -> str:
    found = etree.QName(element)
    return found.localname if found.namespace == namespace else f"{{{found.namespace}}}{found.localname}"


def _object(element: etree._Element, fields: dict[str, Field], disordered: list[str]) -> dict[str, Any]:
    body: dict[str, Any] = {}
    order, furthest = list(fields), -1
    for child in _elements(element):
        name = _name(child, RECEIPTS_NAMESPACE)
        value = _value(child, fields[name], disordered) if name in fields else (child.text or "")
        # A field given twice becomes a list, which no scalar or object is: the format check then names it.
        body[name] = [body[name], value] if name in body else value
        if name in fields:
            if order.index(name) < furthest:
                disordered.append(name)
            furthest = max(furthest, order.index(name))
    return body


def _value(element: etree._Element, field: Field, disordered: list[str]) -> Any:
    text = (element.text or "").strip()
    match field.kind:
        case "object":
            return _object(element, field.below or {}, disordered)
        case "list":
            return [
                _object(child, field.below or {}, disordered)
                if _name(child, RECEIPTS_NAMESPACE) == field.item
                else child.text or ""
                for child in _elements(element)
            ]
        case "extra":
            return [{"name": child.get("name"), "value": child.text or ""} for child in _elements(element)]
        case "decimal" if _DECIMAL.fullmatch(text):
            return Decimal(text)
        case "integer" if _INTEGER.fullmatch(text):
            return int(text)
        case "bool" if text in ("true", "false"):
            return text == "true"
        case "text":
            return element.text or ""
    return text


def _contact(element: etree._Element, namespace: str) -> dict[str, Any]:
    body: dict[str, Any] = {}
    for child in _elements(element):
        name = _name(child, namespace)
        below = list(_elements(child))
        if name == "preferences":
            given = {_name(entry, namespace): (entry.text or "").strip() for entry in below}
            body[name] = {key: {"true": True, "false": False}.get(value, value) for key, value in given.items()}
        elif name == "consents":
            body[name] = [{_name(part, namespace): part.text or "" for part in _elements(entry)} for entry in below]
        else:
            body[name] = (child.text or "").strip()
    return body
