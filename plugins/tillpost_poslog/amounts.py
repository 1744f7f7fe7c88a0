"""The amounts of a transaction: lines, taxes and tenders by the first reading in which all of them are the total."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ROUNDING_AS_TENDER, ZERO, Reading, first_reading
from tillpost.kit.xml import attribute, children, decimal, is_true, place, text
from tillpost.model import Line, Tax, Tender
from tillpost_poslog.balance import balance
from tillpost_poslog.layaway import paid_before
from tillpost_poslog.line_items import DraftLine, FindOriginal, rounding_line
from tillpost_poslog.lines import VOID_BY_LINK, Reader, is_rounding, rounding_of, take_out_of_parents, unread_items
from tillpost_poslog.names import only
from tillpost_poslog.rewards import apply_rewards
from tillpost_poslog.settings import Settings
from tillpost_poslog.taxes import TaxEntry, tax_entry
from tillpost_poslog.tenders import Tenders, collect_tenders, read_tenders, sums

_MOST_TOTALS = 20
"""Totals of a transaction that are tried or listed."""
TOTAL_BY_SUM = "total-by-sum"
"""The flag of a receipt whose total is the one that its lines and tenders sum to, and not the one named as such."""
SIGN_BY_AMOUNT = "sign-by-amount"
"""The flag of a receipt with an amount whose sign is the other one than it says."""
VOID_BY_FLAG = "void-by-flag"
"""The flag of a receipt with a line that is voided by a flag which voids none in other dialects."""
LINE_KIND = "line-kind"
"""The flag of a receipt with a line of a kind that this adapter does not know."""
DEPOSIT_IN_PARENT = "deposit-in-parent"
"""The flag of a receipt with a line that is told again in the amount of the line it points at."""


@attrs.frozen
class Amounts:
    """What a receipt has of them, with the flags of the reading."""

    lines: tuple[Line, ...]
    taxes: tuple[Tax, ...]
    tenders: tuple[Tender, ...]
    total: Decimal
    flags: tuple[str, ...]


@attrs.frozen
class _Transaction:
    """What every reading of a transaction shares."""

    retail: _Element
    drafts: list[DraftLine]
    entries: Sequence[TaxEntry]
    tenders: Tenders
    stated_tax: Decimal | None
    currency: str
    settings: Settings
    flags: tuple[str, ...]

    def read(self, total: Decimal, before: Decimal = ZERO) -> Amounts:
        """The amounts, where lines and tenders sum to this total; `before` was paid on another day."""
        balanced = balance(self.drafts, self.entries, total, self.stated_tax, self.currency, self.settings)
        today, found = balanced.total - before, self.tenders
        tenders, flags = read_tenders(found, today, self.currency) if found.paid or found.change or today else ((), ())
        if before:
            tenders = (*tenders, Tender(type="deposit", amount=before, description="Paid before"))
        return Amounts(balanced.lines, balanced.taxes, tenders, balanced.total, (*self.flags, *balanced.flags, *flags))


def read_amounts(retail: _Element, currency: str, settings: Settings, find_original: FindOriginal) -> Amounts:
    """The amounts by the first reading that adds up.

    Raises InvalidValue with what is missing, or with the difference of each reading where none adds up.
    """
    reader = Reader(currency, settings, find_original)
    drafts, flags = reader.read(retail)
    apply_rewards(retail, drafts, currency)
    entries = [
        tax_entry(tax, 1)
        for entry in children(retail, "LineItem")
        if not is_true(entry, "VoidFlag")
        for tax in children(entry, "Tax")
    ]
    parts = _Transaction(
        retail=retail,
        drafts=drafts,
        entries=entries,
        tenders=collect_tenders(retail, settings.tenders, settings.all_names),
        stated_tax=_amount(retail, "TransactionTaxAmount"),
        currency=currency,
        settings=settings,
        flags=flags,
    )
    try:
        amounts, flags = first_reading(_readings(parts, reader))
    except InvalidValue as error:
        raise _with_unread(error, parts) from None
    return attrs.evolve(amounts, flags=(*amounts.flags, *flags)) if flags else amounts


def _with_unread(error: InvalidValue, parts: _Transaction) -> InvalidValue:
    """The error with what has an amount in the line items and is not read."""
    names = parts.settings.all_names
    sellable = (*only(names["bought"]), *only(names["returned"]))
    unread = [
        place(item) for entry in children(parts.retail, "LineItem") for item, _ in unread_items(entry, sellable, names)
    ]
    return InvalidValue(f"{error}; not read: {'; '.join(unread[:3])}; `names` adds kinds") if unread else error


def _readings(parts: _Transaction, reader: Reader) -> Iterator[Reading[Amounts]]:
    """How the transaction may be meant, the likelier first; made one after the other, as nearly all need one."""
    stated = _stated(parts)
    if stated is not None:
        yield Reading("as it is written", lambda: parts.read(stated))
        for before in paid_before(parts.retail):
            for total in dict.fromkeys((stated, stated + before)):
                yield Reading(f"with {before} paid before", lambda b=before, t=total: parts.read(t, b))  # type: ignore[misc]
        for value in parts.tenders.roundings():
            yield Reading(
                f"with a line for the rounding of {value}",
                lambda v=value: _with_rounding(parts, v).read(stated),  # type: ignore[misc]
                ROUNDING_AS_TENDER,
            )
        if rounding := rounding_of(parts.drafts):
            yield Reading(
                "with the rounding the other way",
                lambda: _without_rounding(parts, -rounding).read(stated),
                SIGN_BY_AMOUNT,
            )
            yield Reading(
                "with the rounding as a tender",
                lambda: _without_rounding(parts, ZERO, rounding).read(stated),
                ROUNDING_AS_TENDER,
            )
        if VOID_BY_LINK in parts.flags:
            yield Reading(
                "voided lines are those flagged",
                lambda: _again(parts, attrs.evolve(reader, by_link=False)).read(stated),
            )
        yield from _rare_readings(parts, reader, stated)
    others = [total for total, _ in _totals(parts.retail) if total != stated]
    if stated is None and not others:
        others = sums(parts.tenders)
    for total in list(dict.fromkeys(others))[:_MOST_TOTALS]:
        yield Reading(f"the total is {total}", lambda t=total: parts.read(t), TOTAL_BY_SUM)  # type: ignore[misc]
    if stated is None:
        yield Reading("by the total that is named", lambda: _missing_total(parts))


def _with_rounding(parts: _Transaction, value: Decimal) -> _Transaction:
    drafts = [*parts.drafts, rounding_line(value)]
    tenders = attrs.evolve(parts.tenders, rounding=ZERO, is_rounded=False)
    return attrs.evolve(parts, drafts=drafts, tenders=tenders)


def _without_rounding(parts: _Transaction, line: Decimal, tendered: Decimal = ZERO) -> _Transaction:
    """The rounding as this line, or as a tender."""
    drafts = [draft for draft in parts.drafts if not is_rounding(draft)]
    if line:
        return attrs.evolve(parts, drafts=[*drafts, rounding_line(line)])
    return attrs.evolve(parts, drafts=drafts, tenders=attrs.evolve(parts.tenders, rounding=-tendered, is_rounded=True))


def _rare_readings(parts: _Transaction, reader: Reader, stated: Decimal) -> Iterator[Reading[Amounts]]:
    """Readings that need the line items to be read again; only those that are another one are tried."""

    def again(said: str, flag: str, way: Reader, *, by_parent: bool = False) -> Iterator[Reading[Amounts]]:
        try:
            other = _again(parts, way, by_parent=by_parent)
        except InvalidValue:
            return
        if [draft.extended for draft in other.drafts] != [draft.extended for draft in parts.drafts]:
            yield Reading(said, lambda: other.read(stated), flag)

    yield from again("cancelled lines are void", VOID_BY_FLAG, attrs.evolve(reader, other_flags=True))
    yield from again("with lines of unknown kinds", LINE_KIND, attrs.evolve(reader, unread=True))
    yield from again("parts are in the lines they point at", DEPOSIT_IN_PARENT, reader, by_parent=True)


def _again(parts: _Transaction, reader: Reader, *, by_parent: bool = False) -> _Transaction:
    drafts, flags = reader.read(parts.retail)
    if by_parent:
        take_out_of_parents(drafts, parts.settings.all_names)
    apply_rewards(parts.retail, drafts, parts.currency)
    return attrs.evolve(parts, drafts=drafts, flags=flags)


def _totals(retail: _Element) -> list[tuple[Decimal, str]]:
    """Every Total that is a number, with its type."""
    found = []
    for total in children(retail, "Total"):
        try:
            value = decimal(total) if text(total) else decimal(total, "Amount")
        except InvalidValue:
            continue  # a total in words
        if value is not None:
            found.append((value, attribute(total, "TotalType")))
    return found


def _amount(retail: _Element, *types: str) -> Decimal | None:
    totals = list(children(retail, "Total"))
    for kind in types:
        for total in totals:
            if attribute(total, "TotalType").rpartition(":")[2] == kind:
                return decimal(total) if text(total) else decimal(total, "Amount")
    return None


def _stated(parts: _Transaction) -> Decimal | None:
    return _amount(parts.retail, *only(parts.settings.all_names["total"]))


def _missing_total(parts: _Transaction) -> Amounts:
    types = only(parts.settings.all_names["total"])
    found = _totals(parts.retail)[:_MOST_TOTALS]
    there = ", ".join(f"{kind[:40] or 'without a type'} {value}" for value, kind in found) or "none"
    raise InvalidValue(
        f"the Total of type {types[0]} is missing (or {', '.join(types[1:])}); there are: {there}; `names` adds others",
        place="RetailTransaction",
    )
