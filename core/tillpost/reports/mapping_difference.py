"""What another mapping would change: recent receipts, mapped both ways and compared field by field.

The payloads that were sent are not stored: the journal has the record of each receipt as the till wrote it, and the
settings of the mappings that were used.
"""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from decimal import Decimal
from typing import Any

import attrs

from tillpost.errors import DocumentError, InvalidValue, JournalDamaged, PluginError
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.upkeep.mapping_guard import PLACEHOLDER_CONTACT
from tillpost.journal import Entry, Journal
from tillpost.model import Broken, Customer, Document, Found, Receipt
from tillpost.terminal import ranked

EXAMPLES = 3
"""Receipts shown for each field that changes."""
_MOMENT = re.compile(r"\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d+)?)?([+-]\d\d:\d\d|Z)?)?")


class Label(str):
    """A text of Tillpost without anything of a receipt: shown unmasked."""

    __slots__ = ()


_KINDS: dict[type[Exception], str] = {
    DocumentError: "the record cannot be read",
    JournalDamaged: "its content in the journal is damaged",
    InvalidValue: "a value is not valid",
    PluginError: "a plugin failed",
}

_NONE = Label("(none)")


@attrs.frozen(kw_only=True)
class Mapper:
    """What makes the payload of a record.

    reader: the adapter; None: the receipt as the journal has it. anonymous: who gets receipts without a customer.
    """

    reader: HookCalls | None
    mapper: HookCalls
    anonymous: Customer | None = None


@attrs.frozen(kw_only=True)
class Example:
    """A receipt in which a field changes; texts are masked unless `unmasked` is set."""

    receipt: str
    before: str
    after: str


@attrs.frozen(kw_only=True)
class Change:
    """A field that changes: in how many receipts, and some of them."""

    field: str
    receipts: int
    examples: tuple[Example, ...]


@attrs.frozen(kw_only=True)
class MappingDifference:
    """What would change. compared, changed: receipts. fields: the most frequent first.

    not_compared: why receipts could not be compared → how many.
    """

    compared: int
    changed: int
    fields: tuple[Change, ...]
    not_compared: Mapping[str, int]


def difference(
    journal: Journal,
    before: Mapper,
    after: Mapper,
    last: int,
    *,
    unmasked: bool = False,
    stored_before: float | None = None,
) -> MappingDifference:
    """Compare the payloads of the last receipts.

    stored_before: where `before` takes receipts as the journal has them, those accepted later are not compared: the new
    mapping read them.
    """
    compared, changed = 0, 0
    receipts: Counter[str] = Counter()
    examples: dict[str, list[Example]] = {}
    not_compared: Counter[str] = Counter()
    show: Callable[[Any], str] = _plain if unmasked else masked
    for entry in journal.listings.newest(last):
        if reason := _unfit(journal, entry, before, stored_before):
            not_compared[reason] += 1
            continue
        old, new = _fields(journal, entry, before), _fields(journal, entry, after)
        compared += 1
        differing: dict[str, Example] = {}
        for path in dict.fromkeys([*old, *new]):
            old_value, new_value = old.get(path, _NONE), new.get(path, _NONE)
            if not _same(old_value, new_value):
                name = re.sub(r"\[\d+\]", "[]", path)
                differing.setdefault(name, Example(receipt=entry.id, before=show(old_value), after=show(new_value)))
        changed += bool(differing)
        for name, example in differing.items():
            receipts[name] += 1
            if len(kept := examples.setdefault(name, [])) < EXAMPLES:
                kept.append(example)
    fields = tuple(Change(field=key, receipts=n, examples=tuple(examples[key])) for key, n in ranked(receipts))
    return MappingDifference(compared=compared, changed=changed, fields=fields, not_compared=dict(ranked(not_compared)))


def masked(value: Any) -> str:
    """Numbers, booleans and times unchanged; of a text its shape, since it may be a name."""
    text = _plain(value)
    if not isinstance(value, str) or isinstance(value, Label) or _MOMENT.fullmatch(text):
        return text
    return "".join(_shape(char) for char in text)


def _shape(char: str) -> str:
    if char.isdigit():
        return "9"
    if char.isalpha():
        return "X" if char.isupper() else "x"
    return char


def _plain(value: Any) -> str:
    return format(value, "f") if isinstance(value, Decimal) else str(value)


def _same(was: Any, now: Any) -> bool:
    numbers = int | Decimal
    if isinstance(was, numbers) and isinstance(now, numbers) and not isinstance(was, bool):
        return bool(Decimal(was) == Decimal(now))
    return isinstance(was, bool) == isinstance(now, bool) and bool(was == now)


def _unfit(journal: Journal, entry: Entry, before: Mapper, stored_before: float | None) -> str:
    """Why it cannot be compared; "" when it can."""
    if before.reader is not None:
        return ""
    if stored_before is not None and entry.accepted_at >= stored_before:
        return "read with the current mapping already"
    return "" if journal.bodies.is_readable(entry.seq) else "its content is not in the journal"


def _fields(journal: Journal, entry: Entry, mapper: Mapper) -> dict[str, Any]:
    """The payload and the customer, each value by its path; `outcome` says what there is instead."""
    try:
        receipt = _receipt(journal, entry, mapper.reader)
        if isinstance(receipt, str):
            return {"outcome": Label(receipt)}
        fields = mapper.mapper.amend_payload(mapper.mapper.map_receipt(receipt, PLACEHOLDER_CONTACT), receipt).fields
    except (DocumentError, JournalDamaged, InvalidValue, PluginError) as error:
        why = next(text for kind, text in _KINDS.items() if isinstance(error, kind))
        return {"outcome": Label(f"cannot be mapped: {why}")}
    return {"outcome": Label("sent"), **dict(_flat(fields, "")), **_who(receipt, mapper.anonymous)}


def _receipt(journal: Journal, entry: Entry, reader: HookCalls | None) -> Receipt | str:
    if reader is None:
        return journal.bodies.get(entry.seq)
    document = Document.from_bytes(entry.document, journal.bodies.raw(entry.seq))
    parsed = next(reader.parse_receipts(document), None)
    if isinstance(parsed, Found):
        return parsed.receipt
    return "cannot be read" if isinstance(parsed, Broken) else "ignored: no sale"


def _who(receipt: Receipt, anonymous: Customer | None) -> dict[str, Any]:
    customer = receipt.customer if receipt.customer is not None and receipt.customer.identifiers else anonymous
    if customer is None:
        return {"outcome": Label("skipped: no customer")}
    return {
        **{f"customer {known.kind}": known.value for known in customer.identifiers},
        **{f"customer {name}": value for name, value in customer.attributes.items()},
    }


def _flat(value: Any, path: str) -> Iterable[tuple[str, Any]]:
    if isinstance(value, Mapping):
        for key, each in value.items():
            yield from _flat(each, f"{path}.{key}" if path else str(key))
    elif isinstance(value, list | tuple):
        yield f"{path} (how many)", len(value)
        for number, each in enumerate(value):
            yield from _flat(each, f"{path}[{number}]")
    else:
        yield path, value
