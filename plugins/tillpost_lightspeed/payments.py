"""The payments of an R-Series sale: tenders, change, and what stands in the payments and is no payment."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from decimal import Decimal

import attrs

from tillpost.kit import (
    ROUNDING,
    ZERO,
    Reading,
    XmlJsonObject,
    adjustment,
    first_reading,
    is_rounding,
    mismatch,
    negated,
    round_money,
)
from tillpost.model import Line, Tender
from tillpost_lightspeed.settings import Settings

CHANGE_IN_TENDER = "change-in-tender"
"""The flag of a receipt whose payment has the change in it, which Lightspeed otherwise takes off before."""
CHANGE_LEFT_OUT = "change-left-out"
"""The flag of a receipt whose change is not shown: no payment of it is in cash."""
DEPOSIT_AS_LINE = "deposit-as-line"
"""The flag of a receipt with money put on a gift card or an account, which Lightspeed has as a payment below 0."""
CASH_ROUNDING = "cash-rounding"
"""The flag of a receipt whose payments differ from its total by the rounding of cash, which is a line."""
ARCHIVED_PAYMENT = "archived-payment"
"""The flag of a receipt with a payment that is marked as archived, without which it does not add up."""
SIGN_BY_TOTAL = "sign-by-total"
"""The flag of a refund whose payments are written without their sign."""
TENDER_UNKNOWN = "tender-unknown"
"""The flag of a receipt with a payment of a type that the table does not have: it is sent as "other"."""

# Type of a payment type of the R-Series, or its name in lower case → payment type of Engage.
TYPES = {
    "cash": "cash",
    "check": "check",
    "cheque": "check",
    "credit card": "card",
    "debit card": "card",
    "card": "card",
    "eftpos": "card",
    "visa": "card",
    "mastercard": "card",
    "amex": "card",
    "american express": "card",
    "maestro": "card",
    "pin": "card",
    "gift card": "giftcard",
    "gift certificate": "giftcard",
    "credit account": "invoice",
    "on account": "invoice",
    "store credit": "giftcard",
    "loyalty": "coupon",
    "paypal": "paypal",
    "klarna": "invoice",
    "swish": "swish",
    "vipps": "vipps",
    "mobilepay": "mobilepay",
}
_RESERVED = {"1": "cash", "5": "gift card"}  # the ids that every account has
_ON_ACCOUNT = ("gift card", "credit account")
_LARGEST_ROUNDING = Decimal("0.50")


@attrs.frozen
class Paid:
    """What was paid: the receipt's total, its tenders, lines beside the goods, and flags."""

    total: Decimal
    tenders: tuple[Tender, ...]
    lines: tuple[Line, ...]
    flags: tuple[str, ...]


def tender_type(names: Sequence[str], more: Mapping[str, str]) -> str:
    """The payment type of Engage by the first name that is known; "" when none is."""
    for name in names:
        if found := more.get(name) or TYPES.get(name.lower()) or (ROUNDING if is_rounding(name) else ""):
            return found
    return ""


def _kind(payment: XmlJsonObject) -> str:
    return payment.object_or_empty("PaymentType").text("type", "") or _RESERVED.get(
        payment.text("paymentTypeID", ""), ""
    )


def _tender(payment: XmlJsonObject, tip: Decimal, settings: Settings) -> Tender:
    name = payment.object_or_empty("PaymentType").text("name", "")
    found = tender_type((name, _kind(payment)), settings.tenders)
    return Tender(type=found or "other", amount=_amount(payment, settings) + tip, description=name)


def _amount(payment: XmlJsonObject, settings: Settings) -> Decimal:
    return round_money(payment.decimal("amount"), settings.currency)


def read_payments(sale: XmlJsonObject, payments: Sequence[XmlJsonObject], total: Decimal, settings: Settings) -> Paid:
    """The reading of the payments that sums to the total. Raises InvalidValue, with the difference, when none does."""
    live = [payment for payment in payments if not payment.boolean("archived")]
    deposits = [
        payment for payment in live if total >= 0 and _kind(payment) in _ON_ACCOUNT and _amount(payment, settings) < 0
    ]
    lines = [_deposit(payment, settings) for payment in deposits]
    flags = (DEPOSIT_AS_LINE,) if deposits else ()
    paying = [payment for payment in live if payment not in deposits]
    tip = sum((payment.decimal("tipAmount", ZERO) for payment in paying), ZERO)
    if tip:
        lines.append(adjustment("tip", tip, ""))
    due = total + sum((line.paid for line in lines), ZERO)
    archived = [payment for payment in payments if payment.boolean("archived")]
    (tenders, rounding), more = first_reading(_readings(sale, paying, archived, due, settings))
    if rounding:
        lines.append(adjustment("rounding", rounding, ""))
    tenders, change_flags = _with_change(sale, tenders, settings) if more != (CHANGE_IN_TENDER,) else (tenders, ())
    unknown = any(
        not tender_type((payment.object_or_empty("PaymentType").text("name", ""), _kind(payment)), settings.tenders)
        for payment in paying
    )
    return Paid(
        total=due + rounding,
        tenders=tuple(tender for tender in tenders if tender.amount),
        lines=tuple(lines),
        flags=(*flags, *more, *change_flags, *((TENDER_UNKNOWN,) if unknown else ())),
    )


_Tenders = tuple[list[Tender], Decimal]


def _readings(
    sale: XmlJsonObject,
    paying: Sequence[XmlJsonObject],
    archived: Sequence[XmlJsonObject],
    due: Decimal,
    settings: Settings,
) -> Iterator[Reading[_Tenders]]:
    def reading(said: str, tenders: list[Tender], flag: str = "", rounding: Decimal = ZERO) -> Reading[_Tenders]:
        def make() -> _Tenders:
            found = sum((tender.amount for tender in tenders), ZERO)
            if found != due + rounding:
                raise mismatch(
                    "payments sum to", found, "the sale's total is", due + rounding, settings.currency,
                    place=f"{sale.place}.SalePayments",
                )  # fmt: skip
            return tenders, rounding

        return Reading(said, make, flag)

    plain = [_tender(payment, ZERO, settings) for payment in paying]
    yield reading("the payments", plain)
    tips = [payment.decimal("tipAmount", ZERO) for payment in paying]
    if any(tips):
        yield reading(
            "payments and their tips",
            [_tender(payment, tip, settings) for payment, tip in zip(paying, tips, strict=True)],
        )
    change = _change(sale, settings)
    if change:
        back = Tender(type="cash", amount=-change, description="Change")
        yield reading("change inside the payment", [*plain, back], CHANGE_IN_TENDER)
    if archived:
        more = [_tender(payment, ZERO, settings) for payment in archived]
        yield reading("with the archived payments", [*plain, *more], ARCHIVED_PAYMENT)
    if due < 0:
        yield reading("payments without their sign", negated(plain), SIGN_BY_TOTAL)
    left = sum((tender.amount for tender in plain), ZERO) - due
    balance = sale.decimal("balance", -left)
    if left and -left == balance and abs(left) <= _LARGEST_ROUNDING and any(tender.type == "cash" for tender in plain):
        yield reading("cash that was rounded", plain, CASH_ROUNDING, left)


def _change(sale: XmlJsonObject, settings: Settings) -> Decimal:
    return round_money(sale.decimal("change", ZERO), settings.currency)


def _with_change(
    sale: XmlJsonObject, tenders: list[Tender], settings: Settings
) -> tuple[list[Tender], tuple[str, ...]]:
    """Cash as it was handed over, and the change as negative cash: a payment is what was kept of it."""
    change = _change(sale, settings)
    if not change:
        return tenders, ()
    cash = next((number for number, tender in enumerate(tenders) if tender.type == "cash" and tender.amount > 0), None)
    if cash is None or change < 0:
        return tenders, (CHANGE_LEFT_OUT,)
    found = list(tenders)
    found[cash] = attrs.evolve(found[cash], amount=found[cash].amount + change)
    found.insert(cash + 1, Tender(type="cash", amount=-change, description="Change"))
    return found, ()


def _deposit(payment: XmlJsonObject, settings: Settings) -> Line:
    """Money put on a gift card or an account: a line, which the other payments pay."""
    line = adjustment("giftcard" if _kind(payment) == "gift card" else "deposit", -_amount(payment, settings), "")
    return attrs.evolve(line, article_group=line.sku)
