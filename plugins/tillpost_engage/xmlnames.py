"""The elements of an import file for the JSON names of the API, and the characters XML has. Contract, section 3.

Elements are written as text, not built: a day of receipts is millions of them, and a tree costs four times as much.
"""

from __future__ import annotations

import re
from collections.abc import Mapping
from decimal import Decimal
from functools import lru_cache
from typing import Any

import attrs

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
# XML 1.0, section 2.2, "Char": no document can hold any other character, not even escaped.
_FORBIDDEN = re.compile("[^\t\n\r\u0020-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_NAME = re.compile(r"[A-Za-z_][A-Za-z0-9_.-]*")
# What cannot be written as it is: forbidden characters, markup, and a carriage return, which is read as a line feed.
_ODD = re.compile("[^\t\n\u0020-%'-;=?-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")
_IN_TEXT = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;", ord("\r"): "&#13;"}
_IN_VALUE = _IN_TEXT | {ord('"'): "&quot;", ord("\n"): "&#10;", ord("\t"): "&#9;"}


class NoPlaceError(ValueError):
    """A value that a file cannot hold; the text names the field, never its value."""


@attrs.define
class Cleaner:
    """Replaces the characters XML forbids by U+FFFD, and counts them."""

    replaced: int = 0

    def clean(self, text: str) -> str:
        """The text without the characters XML forbids."""
        cleaned, count = _FORBIDDEN.subn("\ufffd", text)
        self.replaced += count
        return cleaned

    def text(self, text: str) -> str:
        """The text as written between two tags."""
        return text if _ODD.search(text) is None else self.clean(text).translate(_IN_TEXT)

    def value(self, text: str) -> str:
        """The text as written between the quotation marks of an XML attribute."""
        return self.clean(text).translate(_IN_VALUE)


def is_name(name: str) -> bool:
    """Whether this can be an element's name (an NCName of ASCII letters)."""
    return _NAME.fullmatch(name) is not None


def element(name: str, namespace: str, fields: Mapping[str, Any], cleaner: Cleaner) -> str:
    """An element with the fields below it, in their order. Raises NoPlaceError."""
    parts: list[str] = []
    _write(fields, parts, cleaner)
    return f'<{name} xmlns="{cleaner.value(namespace)}">{"".join(parts)}</{name}>'


@lru_cache(maxsize=1024)
def _tags(name: str) -> tuple[str, str, str]:
    """Opening, closing and empty tag; cached, for the same few names come millions of times."""
    if not is_name(name):
        raise NoPlaceError("a field's name cannot be the name of an XML element")
    return f"<{name}>", f"</{name}>", f"<{name}/>"


def _write(fields: Mapping[str, Any], parts: list[str], cleaner: Cleaner) -> None:
    for name, value in fields.items():
        opening, closing, empty = _tags(name)
        kind = type(value)
        if kind is str:
            parts.append(f"{opening}{cleaner.text(value)}{closing}")
        elif kind is Decimal:
            parts.append(f"{opening}{decimal_text(value)}{closing}")
        elif isinstance(value, (Mapping, list, tuple)):
            if not value:
                parts.append(empty)
                continue
            parts.append(opening)
            if isinstance(value, Mapping):
                _write(value, parts, cleaner)
            elif name == "extraData":
                _write_extra(value, parts, cleaner)
            else:
                _write_list(name, value, parts, cleaner)
            parts.append(closing)
        else:
            parts.append(f"{opening}{_text(name, value, cleaner)}{closing}")


def _write_extra(entries: list[Any] | tuple[Any, ...], parts: list[str], cleaner: Cleaner) -> None:
    for entry in entries:
        text = _text("extraData", entry["value"], cleaner)
        parts.append(f'<item name="{cleaner.value(str(entry["name"]))}">{text}</item>')


def _write_list(name: str, entries: list[Any] | tuple[Any, ...], parts: list[str], cleaner: Cleaner) -> None:
    if name not in _ENTRIES or not all(isinstance(entry, Mapping) for entry in entries):
        raise NoPlaceError(f"{name} is not a list of the contract")
    opening, closing, empty = _tags(_ENTRIES[name])
    for entry in entries:
        if not entry:
            parts.append(empty)
            continue
        parts.append(opening)
        _write(entry, parts, cleaner)
        parts.append(closing)


def _text(name: str, value: Any, cleaner: Cleaner) -> str:
    match value:
        case bool():
            return "true" if value else "false"
        case str():
            return cleaner.text(value)
        case int():
            return str(value)
        case Decimal():
            return decimal_text(value)
    raise NoPlaceError(f"{name} is neither a text nor a number")
