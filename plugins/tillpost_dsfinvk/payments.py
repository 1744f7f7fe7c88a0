"""The rows of datapayment.csv as tenders that sum to what was to pay."""

from __future__ import annotations

from collections.abc import Mapping
from decimal import Decimal
from functools import partial

import attrs

from tillpost import InvalidValue
from tillpost.kit import (
    ROUNDING,
    ROUNDING_AS_TENDER,
    ZERO,
    Reading,
    adjustment,
    first_reading,
    is_rounding,
    mismatch,
    negated,
)
from tillpost.model import Line, Tender
from tillpost_dsfinvk.codes import CHANGE, TENDERS, WORDS
from tillpost_dsfinvk.tables import Row


@attrs.frozen
class Payment:
    """One row. is_rounding, is_change: by its ZAHLART_NAME."""

    tender: Tender
    is_rounding: bool
    is_change: bool


@attrs.frozen
class Settled:
    """Tenders that add up, and the line of a rounding that stood among them."""

    tenders: tuple[Tender, ...]
    rounding: tuple[Line, ...] = ()


def read_payments(rows: list[Row], currency: str, more: Mapping[str, str]) -> list[Payment]:
    """Every row with an amount, and those of the type Keine. Raises InvalidValue, also for a foreign one in no EUR."""
    found = []
    for row in rows:
        kind, name = row.text("ZAHLART_TYP"), row.text("ZAHLART_NAME")
        foreign = row.text("ZAHLWAEH_CODE").upper()
        amount, written = row.number("BASISWAEH_BETRAG"), row.number("ZAHLWAEH_BETRAG")
        extra = {}
        if foreign and foreign != currency and written:
            extra = {"currency": foreign, "foreignAmount": f"{written:f}"}
        if amount is None:
            if extra:
                raise InvalidValue(f"is empty, and the payment is in {foreign}", place=row.place("BASISWAEH_BETRAG"))
            amount = written or ZERO
        type_ = more.get(name) or more.get(kind) or _type(kind, name)
        if amount or type_ == "none":
            tender = Tender(type=type_, amount=amount, description=name or kind, extra=extra)
            found.append(Payment(tender, is_rounding(name), bool(CHANGE.search(name))))
    return found


def _type(kind: str, name: str) -> str:
    plain = kind.lower().replace("_", "").replace(" ", "")
    if plain in TENDERS:
        return TENDERS[plain]
    return next((word for pattern, word in WORDS if pattern.search(name) or pattern.search(kind)), "other")


def sum_of(payments: list[Payment]) -> Decimal:
    """What the rows sum to as they are written."""
    return sum((payment.tender.amount for payment in payments), ZERO)


def settle(
    payments: list[Payment], due: Decimal, currency: str, *, on_invoice: bool
) -> tuple[Settled, tuple[str, ...]]:
    """The first reading of the payments that sums to what is due, and its flags.

    on_invoice: nothing need be paid now (AVRechnung). What a payment of the type Keine leaves open is on invoice, too.
    Raises InvalidValue with the difference of each reading.
    """
    paid = [payment.tender for payment in payments if not payment.is_rounding and payment.tender.type != "none"]
    rounding = sum((payment.tender.amount for payment in payments if payment.is_rounding), ZERO)
    rest = [payment for payment in payments if not payment.is_rounding]
    turned = [
        attrs.evolve(payment.tender, type="cash", amount=-abs(payment.tender.amount))
        if payment.is_change
        else payment.tender
        for payment in rest
        if payment.tender.type != "none"
    ]
    readings = []
    if rounding:
        for by in (rounding, -rounding):
            take = partial(_rounded, paid, due, by, currency)
            readings.append(Reading(f"a rounding of {by} among the payments", take, ROUNDING_AS_TENDER))
    else:
        readings.append(Reading("as it is written", partial(_exact, paid, due, currency)))
    if any(payment.is_change and payment.tender.amount > 0 for payment in rest):
        readings.append(Reading("change without its sign", partial(_exact, turned, due, currency), "change-in-tender"))
    if due < 0:
        readings.append(
            Reading("payments without their sign", partial(_exact, negated(paid), due, currency), "sign-by-amount")
        )
    if on_invoice or any(payment.tender.type == "none" for payment in payments):
        open_ = due - sum((tender.amount for tender in paid), ZERO)
        owed = Tender(type="invoice", amount=open_, description="paid later")
        readings.append(Reading("the rest on invoice", partial(_exact, [*paid, owed], due, currency)))
    return first_reading(readings)


def _exact(tenders: list[Tender], due: Decimal, currency: str) -> Settled:
    summed = sum((tender.amount for tender in tenders), ZERO)
    if summed != due:
        raise mismatch("payments sum to", summed, "to pay is", due, currency, place="datapayment.csv")
    return Settled(tuple(tender for tender in tenders if tender.amount))


def _rounded(tenders: list[Tender], due: Decimal, by: Decimal, currency: str) -> Settled:
    """The payments without the rounding, and the rounding as a line."""
    return Settled(_exact(tenders, due + by, currency).tenders, (adjustment(ROUNDING, by, "rounding"),))
