"""A receipt as XML text, fast, when it has the contract's form; what is written here is valid by receipts.xsd.

The tables repeat receipts.xsd: which elements there are, in which order, and what each may hold. Where a table is not
sure, the receipt is written by its names instead (xmlnames.py) and checked by the schema. A test holds that the schema
accepts what is written here, and that it equals what is written by the names.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping
from datetime import datetime
from decimal import Decimal
from typing import Any, NoReturn

from tillpost_engage.wire import decimal_text
from tillpost_engage.xmlnames import Cleaner

_TAX = {
    "description?": "text",
    "value?": "decimal",
    "percent?": "decimal",
    "totalIncludingTax?": "decimal",
    "totalExcludingTax?": "decimal",
}
_PAYMENT = {"type": "filled", "description?": "text", "value": "decimal", "extraData?": "extra"}
_DISCOUNT = {"type?": "text", "description?": "text", "value": "decimal"}
_ITEM = {
    "type": "kind",
    "sku": "filled",
    "quantity": "quantity",
    "packQuantity?": "decimal",
    "grossPaidPrice": "price",
    "taxAmount": "decimal",
    "taxPercent": "decimal",
    "articleNumber": "filled",
    "articleName": "filled",
    "articleGroup?": "text",
    "marginPercent?": "decimal",
    "awardsBonus?": "boolean",
    "discounts?": ("discount", _DISCOUNT),
    "extraData?": "extra",
}
_TRANSACTION = {
    "contact": {"matchKey": "filled", "matchKeyType": "key", "contactType?": "filled"},
    "uniqueReceiptId": "filled",
    "receiptNumber?": "text",
    "createdDate": "time",
    "storeExternalId": "filled",
    "currency": "currency",
    "exchangeRateToGroupCurrency?": "decimal",
    "totalGrossPrice": "decimal",
    "taxDetails?": ("taxDetail", _TAX),
    "paymentMethods": ("paymentMethod", _PAYMENT),
    "items": ("item", _ITEM),
    "usedBonusChecks?": ("usedBonusCheck", {"checkNumber": "filled"}),
    "usedPromotions?": ("usedPromotion", {"promotionId?": "filled", "couponId?": "filled"}),
    "extraData?": "extra",
}
Form = Mapping[str, Any]
"""Element → what it holds: a word of `_SOURCE`, elements of its own, or (entry, its elements) for a list of entries.
An element with "?" is optional."""

_SOURCE = {
    "text": "text[{}]",
    "filled": "filled[{}]",
    "kind": "kinds[{}]",
    "key": "keys[{}]",
    "decimal": "(numbers[str(v)] if type(v := {}) is Decimal else no())",
    "price": "(numbers[str(v)] if type(v := {}) is Decimal and v >= 0 else no())",
    "quantity": "(v if type(v := {}) is int and 0 < abs(v) < 1_000_000_000 else no())",
    "boolean": "((v and 'true' or 'false') if type(v := {}) is bool else no())",
    "time": "time({})",
    "currency": "currencies[{}]",
    "extra": "extra({})",
}
"""How a value becomes the text between its tags, as Python. A value that does not fit raises."""
_KINDS = ("PURCHASE", "RETURN", "ADJUSTMENT")
_KEYS = ("contactId", "memberNumber", "socialSecurityNumber", "mobilePhone", "externalId", "email")
# A subset of the times and offsets of xs:dateTime.
_TIME = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d{1,6})?(Z|[+-](0\d|1[0-3]):[0-5]\d)", re.ASCII)
_LONGEST_NUMBER = 20
_CURRENCY = re.compile("[A-Z]{3}")

Write = Callable[[Any], str]


class NotPlainError(ValueError):
    """The table cannot say whether the schema accepts it."""


def receipt_writer(cleaner: Cleaner) -> Write:
    """Writes the fields of a receipt as a `transaction`. Raises NotPlainError, and then counts no character."""
    transaction = _record(_TRANSACTION, _means(cleaner))

    def write(fields: Any) -> str:
        before = cleaner.replaced
        try:
            return f"<transaction>{transaction(fields)}</transaction>"
        except (ValueError, LookupError, TypeError, ArithmeticError):
            cleaner.replaced = before
            raise NotPlainError from None

    return write


class _Known(dict[str, str]):
    """Text → how it is written. A cache: the same names of articles and prices come again and again."""

    def __init__(self, write: Write, cleaner: Cleaner) -> None:
        self._write = write
        self._cleaner = cleaner

    def __missing__(self, text: Any) -> str:
        if type(text) is not str:
            raise NotPlainError
        before = self._cleaner.replaced
        written = self._write(text)
        if self._cleaner.replaced == before:  # else it must be counted each time
            self[text] = written
        return written


def _means(cleaner: Cleaner) -> dict[str, Any]:
    """What the words of `_SOURCE` use. Texts are cached as long as the writer lives: for one batch."""

    def filled(write: Write) -> Write:
        return lambda text: write(text) if text.strip() else no()

    def number(text: str) -> str:
        # libxml2 counts the digits of a decimal.
        return decimal_text(Decimal(text)) if len(text) <= _LONGEST_NUMBER else no()

    def currency(text: str) -> str:
        return text if _CURRENCY.fullmatch(text) else no()

    def extra(entries: Any) -> str:
        if not entries or type(entries) is not list:
            raise NotPlainError
        return "".join([f'<item name="{names[item["name"]]}">{texts[item["value"]]}</item>' for item in entries])

    texts, names = _Known(cleaner.text, cleaner), _Known(filled(cleaner.value), cleaner)
    return {
        "text": texts,
        "filled": _Known(filled(cleaner.text), cleaner),
        "numbers": _Known(number, cleaner),
        "currencies": _Known(currency, cleaner),
        "kinds": {word: word for word in _KINDS},
        "keys": {word: word for word in _KEYS},
        "time": _time,
        "extra": extra,
        "no": no,
        "Decimal": Decimal,
    }


def no() -> NoReturn:
    """Refuse a value."""
    raise NotPlainError


def _time(text: Any) -> str:
    if type(text) is not str or not _TIME.fullmatch(text):
        raise NotPlainError
    datetime.fromisoformat(text)  # a ValueError, for a day that no month has
    return text


def _record(form: Form, means: Mapping[str, Any]) -> Write:
    """Writes elements one below the other. For each order of names that comes, an f-string is compiled once: a till's
    receipts have a few orders, and reading the table for each value would take twice as long."""
    order = [name.removesuffix("?") for name in form]
    needed = {name for name in form if not name.endswith("?")}
    inner = {
        name: _below(below, means) for name, below in zip(order, form.values(), strict=True) if type(below) is not str
    }
    source = {name: word for name, word in zip(order, form.values(), strict=True) if type(word) is str}
    known: dict[tuple[str, ...], Write] = {}

    def compile_order(names: tuple[str, ...]) -> Write:
        if not names or names != tuple(name for name in order if name in names) or not needed.issubset(names):
            raise NotPlainError
        values = {name: _SOURCE[source[name]] if name in source else f"below_{name}({{}})" for name in names}
        parts = [f'<{name}>{{{value.format(f"""f["{name}"]""")}}}</{name}>' for name, value in values.items()]
        scope = {**means, **{f"below_{name}": write for name, write in inner.items()}}
        write: Write = eval(f"lambda f: f'''{''.join(parts)}'''", scope)  # noqa: S307 - only names of the table
        known[names] = write
        return write

    def write(fields: Any) -> str:
        if type(fields) is not dict:
            raise NotPlainError
        names = tuple(fields)
        return (known.get(names) or compile_order(names))(fields)

    return write


def _below(form: Any, means: Mapping[str, Any]) -> Write:
    """Writes elements below an element, or a list of entries."""
    if isinstance(form, Mapping):
        return _record(form, means)
    name, below = form
    entry, opening, closing = _record(below, means), f"<{name}>", f"</{name}>"
    between = closing + opening

    def write(entries: Any) -> str:
        if not entries or type(entries) is not list:
            raise NotPlainError
        return opening + between.join([entry(item) for item in entries]) + closing

    return write
