"""How the JSON names of the API stand in an import file, and which characters XML has. Contract, section 3."""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

import attrs
from lxml import etree

from tillpost_engage.wire import decimal_text

RECEIPTS_NAMESPACE = "http://voyado.Schemas.ImportReceipts"
_ENTRIES = {
    "paymentMethods": "paymentMethod",
    "items": "item",
    "discounts": "discount",
    "taxDetails": "taxDetail",
    "usedBonusChecks": "usedBonusCheck",
    "usedPromotions": "usedPromotion",
}
# XML 1.0, section 2.2, "Char": everything else can be in no document, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")


class NoPlaceError(ValueError):
    """A value that has no form in the file; the text names the field, never its value."""


@attrs.define
class Cleaner:
    """Replaces the characters XML forbids by U+FFFD, and counts them."""

    replaced: int = 0

    def clean(self, text: str) -> str:
        """The text as XML can hold it."""
        cleaned, count = _FORBIDDEN.subn("\ufffd", text)
        self.replaced += count
        return cleaned


def is_name(name: str) -> bool:
    """Whether an element may be called so (an NCName of ASCII letters)."""
    return _NAME.fullmatch(name) is not None


def append(parent: etree._Element, namespace: str, fields: Mapping[str, Any], cleaner: Cleaner) -> None:
    """Put the fields below an element, in their order. Raises NoPlaceError."""
    for name, value in fields.items():
        if not is_name(name):
            raise NoPlaceError("a field's name is no element name")
        element = etree.SubElement(parent, f"{{{namespace}}}{name}")
        if isinstance(value, Mapping):
            append(element, namespace, value, cleaner)
        elif name == "extraData" and isinstance(value, (list, tuple)):
            for entry in value:
                item = etree.SubElement(element, f"{{{namespace}}}item", name=cleaner.clean(str(entry["name"])))
                item.text = _text(name, entry["value"], cleaner)
        elif isinstance(value, (list, tuple)):
            if name not in _ENTRIES or not all(isinstance(entry, Mapping) for entry in value):
                raise NoPlaceError(f"{name} is no list of the contract")
            for entry in value:
                append(etree.SubElement(element, f"{{{namespace}}}{_ENTRIES[name]}"), namespace, entry, cleaner)
        else:
            element.text = _text(name, value, cleaner)


def _text(name: str, value: Any, cleaner: Cleaner) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return cleaner.clean(value)
        case int():
            return str(value)
        case Decimal():
            return decimal_text(value)
    raise NoPlaceError(f"{name} is neither text nor number")
