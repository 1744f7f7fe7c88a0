"""The line items of a transaction that were sold: without voided ones, by one of the ways in which tills void."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal

import attrs
from lxml.etree import _Element

from tillpost import InvalidValue
from tillpost.kit import ZERO
from tillpost.kit.xml import children, decimal, is_true, local_name, place, text
from tillpost_poslog.dialects import NO_ARTICLES, RESERVED
from tillpost_poslog.layaway import completes_layaway, deposits, sold
from tillpost_poslog.line_items import DraftLine, FindOriginal, draft_line, non_article, rounding_line
from tillpost_poslog.names import Names, find_decimal, find_text, only, written
from tillpost_poslog.settings import Settings

VOID_BY_LINK = "void-by-link"
"""The flag of a receipt with a voided line that took back the line it points at, whatever its own sign."""
DISCOUNT_BY_PIECE = "discount-by-piece"
"""The flag of a receipt with price modifiers of one piece, which count for each piece of the line."""


@attrs.frozen
class Reader:
    """One way to read line items.

    by_link: a voided line that points at a line of its article takes that one back (Wincor). Else one with a negative
    amount voids an earlier line, and both are omitted (NCR); one with a positive amount is itself void (ARTS).
    other_flags: a CancelFlag voids, too, and a flag of the article. unread: items whose name is unknown are sold.
    """

    currency: str
    settings: Settings
    find_original: FindOriginal
    by_link: bool = True
    other_flags: bool = False
    unread: bool = False

    def read(self, retail: _Element) -> tuple[list[DraftLine], tuple[str, ...]]:
        """The lines without voided ones, and flags.

        Raises InvalidValue for a line without an article, and for one that voids none.
        """
        names = self.settings.all_names
        drafts: list[DraftLine] = []
        taken_back: set[str] = set()
        flags: tuple[str, ...] = ()
        completed = completes_layaway(retail)
        returned = only(names["returned"])
        sellable = (*only(names["bought"]), *returned, *RESERVED)
        for entry in children(retail, "LineItem"):
            entry_is_void = is_true(entry, "VoidFlag")
            for item in children(entry, *sellable):
                if local_name(item) in RESERVED and not sold(item):
                    continue
                is_return = local_name(item) in returned
                draft = draft_line(item, is_return, self.currency, self.settings, self.find_original)
                if not (entry_is_void or (self.other_flags and _is_cancelled(entry, item))):
                    drafts.append(_with_sku(draft, item, names))
                    continue
                target = (find_text(item, names["voids"]) or find_text(entry, names["voids"])) if self.by_link else ""
                taken_back.add(text(entry, "SequenceNumber"))
                if target and _void_linked(drafts, draft, target):
                    flags = (VOID_BY_LINK,) if draft.extended > 0 else flags
                elif target in taken_back:
                    pass  # the line it points at is flagged itself
                elif draft.extended < 0 and not is_return:
                    _void_line(drafts, draft, place(item))
            if entry_is_void:
                continue
            drafts += [non_article(*deposit) for deposit in deposits(entry, completes_layaway=completed)]
            drafts += [
                rounding_line(decimal(rounding, "Amount") or decimal(rounding) or ZERO)
                for rounding in children(entry, "Rounding")
            ]
            if self.unread:
                drafts += self._unread(entry, sellable)
        if any(draft.by_piece for draft in drafts):
            flags = (*flags, DISCOUNT_BY_PIECE)
        return drafts, flags

    def _unread(self, entry: _Element, sellable: tuple[str, ...]) -> Iterator[DraftLine]:
        for item, value in unread_items(entry, sellable, self.settings.all_names):
            name = local_name(item)
            if find_text(item, self.settings.all_names["item"]):
                yield draft_line(item, name.endswith("Return"), self.currency, self.settings, self.find_original)
            else:
                yield non_article(name, find_text(item, self.settings.all_names["name"]) or name, value)


def unread_items(entry: _Element, sellable: tuple[str, ...], names: Names) -> Iterator[tuple[_Element, Decimal]]:
    """Elements of a line item that have an amount and a name by which nothing is read."""
    for item in entry:
        if local_name(item) in sellable or local_name(item) in NO_ARTICLES:
            continue
        value = find_decimal(item, (*names["amount"], ("Amount",)))
        if value:
            yield item, value


def _is_cancelled(entry: _Element, item: _Element) -> bool:
    return any(is_true(part, name) for part in (entry, item) for name in ("CancelFlag", "VoidFlag"))


def _with_sku(draft: DraftLine, item: _Element, names: Names) -> DraftLine:
    if not draft.sku:
        looked_for = written((*names["item"], *names["scanned"], *names["group"]))
        raise InvalidValue(f"has no sku; looked for {looked_for}; `names` adds others", place=place(item))
    return draft


def _void_line(drafts: list[DraftLine], void: DraftLine, where: str) -> None:
    """Remove the line that `void` voids, or reduce the one of a larger quantity."""
    for index in range(len(drafts) - 1, -1, -1):
        line = drafts[index]
        if line.sku == void.sku and line.extended == -void.extended and line.quantity == -void.quantity:
            del drafts[index]
            return
    for line in reversed(drafts):
        if line.sku == void.sku and line.extended > -void.extended and line.quantity > -void.quantity:
            line.quantity += void.quantity
            line.extended += void.extended
            return
    raise InvalidValue(f"voids a line of {-void.extended} that is not before it", place=where)


def _number(draft: DraftLine) -> str:
    return text(draft.entry(), "SequenceNumber")


def _void_linked(drafts: list[DraftLine], void: DraftLine, target: str) -> bool:
    """Remove the line of this number, or reduce it by a smaller quantity; False where it is another article."""
    for index, line in enumerate(drafts):
        if (void.sku and line.sku != void.sku) or _number(line) != target:
            continue
        if abs(void.quantity) < abs(line.quantity) and abs(void.extended) < abs(line.extended):
            side = -1 if line.extended < 0 else 1
            line.quantity -= side * abs(void.quantity)
            line.extended -= side * abs(void.extended)
        else:
            del drafts[index]
        return True
    return False


def take_out_of_parents(drafts: list[DraftLine], names: Names) -> None:
    """Reduce each line by the parts that point at it, which are told again."""
    numbered = {_number(draft): draft for draft in drafts if draft.item is not None}
    for draft in drafts:
        entry = draft.entry()
        if draft.item is None or entry is None:
            continue
        parent = numbered.get(find_text(draft.item, names["voids"]) or find_text(entry, names["voids"]))
        if parent is not None and parent is not draft:
            parent.extended -= draft.extended


def rounding_of(drafts: list[DraftLine]) -> Decimal:
    """The sum of the lines that are the rounding of cash."""
    return sum((draft.extended for draft in drafts if is_rounding(draft)), ZERO)


def is_rounding(draft: DraftLine) -> bool:
    """Whether the line is the rounding of cash."""
    return draft.sku == "rounding" and not draft.is_article
