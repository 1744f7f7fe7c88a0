"""One receipt of the joined rows."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from decimal import Decimal

from tillpost import InvalidValue
from tillpost.kit import TAX_OFF, ZERO, MakeId, parse_date, parse_time, round_money, tax
from tillpost.model import Customer, Identifier, NoReceipt, RawRef, Receipt, Tax
from tillpost_dsfinvk.codes import CASH, PAID_ALONE, is_true, plain_type
from tillpost_dsfinvk.join import Bon
from tillpost_dsfinvk.lines import Goods, read_goods
from tillpost_dsfinvk.payments import read_payments, settle, sum_of
from tillpost_dsfinvk.positions import Position, Positions
from tillpost_dsfinvk.readings import first_that_adds_up
from tillpost_dsfinvk.settings import Settings
from tillpost_dsfinvk.tables import Row

STORNO_AS_RETURN = "storno-as-return"


class Head:
    """The head of a receipt: who issued it, when, and under which number."""

    def __init__(self, bon: Bon, settings: Settings) -> None:
        self.row = Row.of(bon.heads[0])
        self.bon = bon
        self.settings = settings
        self.till = bon.closing[0]
        self.number = self.row.identifier("BON_NR").replace(".", "") or bon.id  # 12.345 is grouped
        self.type = plain_type(self.row.text("BON_TYP"))
        self.is_storno = is_true(self.row.text("BON_STORNO"))
        place = self.row.place("BON_ENDE")
        written = self.row.text("BON_ENDE") or self.row.text("BON_START")
        self.created, self.time_flags = parse_time(written, settings.timezone, place)

    @property
    def store(self) -> str:
        """The store, by the settings and the location of the closing. Raises InvalidValue when nothing names it."""
        location = next((row.text("LOC_NAME") for row in self.bon.rows("location")), "")
        stores = self.settings.stores
        if found := stores.get(self.till) or stores.get(location) or self.settings.store or location:
            return found
        raise InvalidValue("location.csv has no LOC_NAME for it; set `store` or `stores`", place=self.row.entry.place)

    @property
    def day(self) -> date:
        """The booking day of the closing, else the date of the receipt."""
        for row in self.bon.rows("cashpointclosing"):
            if written := row.text("Z_BUCHUNGSTAG"):
                return parse_date(written, row.place("Z_BUCHUNGSTAG"))
        return self.created.date()

    @property
    def currency(self) -> str:
        """The currency of the till."""
        found = (row.text("KASSE_BASISWAEH_CODE").upper() for row in self.bon.rows("cashregister"))
        return next((code for code in found if code), "EUR")

    def make_id(self, make_id: MakeId) -> str:
        """The id: BON_ID is unique in its closing, and a till may have two closings a day."""
        number = f"{self.bon.closing[1]}-{self.bon.id}" if self.bon.closing[1] else self.bon.id
        return make_id(store=self.store, till=self.till, business_date=self.day, number=number)

    def no_receipt(self, reason: str, *, retail: bool, voids: str = "") -> NoReceipt:
        """What is not sent, with who issued its number."""
        try:
            store, day = self.store, self.day.isoformat()
        except InvalidValue:
            store, day = "", ""
        return NoReceipt(
            reason=reason,
            place=self.row.entry.place,
            retail=retail,
            number=self.number,
            store=store,
            till=self.till,
            date=day,
            voids=voids,
        )


def read_receipt(head: Head, raw: RawRef, make_id: MakeId) -> Receipt | NoReceipt:
    """The receipt. Raises InvalidValue with what is missing, or with the difference where amounts do not add up."""
    bon, settings, currency = head.bon, head.settings, head.currency
    source = Positions(bon, settings, currency)
    payments = read_payments(bon.rows("datapayment"), currency, settings.tenders)
    total = _total(head, currency)
    rounding = sum((payment.tender.amount for payment in payments if payment.is_rounding), ZERO)
    also = () if total is None or not rounding else (total - rounding, total + rounding)
    found = first_that_adds_up(source, total, also, sum_of(payments))
    if reason := _reason(found.positions):
        return head.no_receipt(reason, retail=any(each.part != CASH for each in found.positions))
    flags = [*head.time_flags, *found.flags]
    goods = read_goods(found.positions, source, _originals(bon), settings.sku, flags)
    due = goods.total - sum((tender.amount for tender in goods.tenders), ZERO)
    settled, payment_flags = settle(payments, due, currency, on_invoice=head.type == "rechnung")
    if head.is_storno:
        flags.append(STORNO_AS_RETURN)
    lines = (*goods.lines, *settled.rounding)
    taxes, tax_flags = _taxes(bon, source, goods, found.positions, currency)
    return Receipt(
        id=head.make_id(make_id),
        number=head.number,
        created=head.created,
        business_date=head.day,
        store=head.store,
        till=head.till,
        currency=currency,
        total=sum((line.paid for line in lines), ZERO),
        lines=lines,
        tenders=(*settled.tenders, *goods.tenders),
        taxes=taxes,
        customer=_customer(head.row, settings),
        flags=tuple(dict.fromkeys([*flags, *payment_flags, *tax_flags])),
        raw=raw,
    )


def _total(head: Head, currency: str) -> Decimal | None:
    """UMS_BRUTTO, else what the sums of the tax keys add up to; None where neither is written."""
    total = head.row.number("UMS_BRUTTO")
    if total is None:
        sums = [row.number("BON_BRUTTO") for row in head.bon.rows("transactions_vat")]
        written = [amount for amount in sums if amount is not None]
        total = sum(written, ZERO) if written else None
    return None if total is None else round_money(total, currency)


def _reason(positions: tuple[Position, ...]) -> str:
    """Why a receipt of only such positions is no sale; "" when it may be one."""
    if not positions:
        return "no lines"
    if all(each.part == CASH for each in positions):
        return f"no sale: {positions[0].row.text('GV_TYP')}"
    kinds = {each.business for each in positions}
    return PAID_ALONE.get(next(iter(kinds)), "") if len(kinds) == 1 else ""


def _originals(bon: Bon) -> dict[str, str]:
    """POS_ZEILE → BON_ID of the receipt that it refers to; "" for the whole receipt."""
    found: dict[str, str] = {}
    for row in bon.rows("references"):
        if row.text("REF_TYP").lower() in ("transaktion", "") and (original := row.identifier("REF_BON_ID")):
            found.setdefault(row.text("POS_ZEILE"), original)
    return found


def _taxes(
    bon: Bon, source: Positions, goods: Goods, positions: tuple[Position, ...], currency: str
) -> tuple[tuple[Tax, ...], list[str]]:
    """The taxes as the till printed them, and the flag where they are not those of the positions.

    Where a voucher is a payment here and a position there, they are summed from the lines that are left.
    """
    summed = {key: _summed(positions, key, currency) for key in _keys(positions)}
    if goods.tenders:
        kept = tuple(each for each in positions if each.part != "redeemed")
        return tuple(_tax_rows({key: _summed(kept, key, currency) for key in _keys(kept)}, source)), []
    printed: dict[str, tuple[Decimal, Decimal]] = {}
    for row in bon.rows("transactions_vat"):
        gross, net, amount = (row.number(name) for name in ("BON_BRUTTO", "BON_NETTO", "BON_UST"))
        if amount is None and gross is not None and net is not None:
            amount = gross - net
        if amount is not None:
            net = net if net is not None else (gross or ZERO) - amount
            printed[row.text("UST_SCHLUESSEL")] = (round_money(amount, currency), round_money(net, currency))
    if not printed:
        return tuple(_tax_rows(summed, source)), []
    # Each position is rounded by itself: half a cent each is no contradiction.
    allowed = Decimal("0.005") * (len(positions) + 1)
    off = any(
        abs(printed.get(key, (ZERO, ZERO))[0] - summed.get(key, (ZERO, ZERO))[0]) > allowed
        for key in {*printed, *summed}
    )
    return tuple(_tax_rows(printed, source)), [TAX_OFF] if off else []


def _keys(positions: tuple[Position, ...]) -> list[str]:
    return sorted({part.key for each in positions for part in each.parts})


def _summed(positions: tuple[Position, ...], key: str, currency: str) -> tuple[Decimal, Decimal]:
    """The tax of a key, and what it is on without it."""
    parts = [part for each in positions for part in each.parts if part.key == key]
    amount = round_money(sum((part.tax for part in parts), ZERO), currency)
    return amount, round_money(sum((part.gross for part in parts), ZERO), currency) - amount


def _tax_rows(sums: dict[str, tuple[Decimal, Decimal]], source: Positions) -> Iterator[Tax]:
    for key, (amount, base) in sums.items():
        if amount:
            percent = source.percent(key)
            yield tax(
                "USt", round(amount / base * 100, 1) if percent is None and base else percent or ZERO, amount, base
            )


def _customer(row: Row, settings: Settings) -> Customer | None:
    """The customer by KUNDE_ID; None where it is an employee's number, or zeros."""
    own = row.identifier("KUNDE_ID")
    staff = {word.lower() for word in settings.staff}
    if not own.strip("0") or row.text("KUNDE_TYP").lower() in staff:
        return None
    return Customer(identifiers=(Identifier("email" if "@" in own else settings.customer, own),))
