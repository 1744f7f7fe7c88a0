"""One completed order as a receipt."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from decimal import Decimal
from functools import partial
from itertools import product

from tillpost import InvalidValue
from tillpost.kit import (
    ZERO,
    JsonObject,
    MakeId,
    Reading,
    adjustment,
    broken_id,
    first_reading,
    mismatch,
    parse_time,
    tax,
)
from tillpost.model import Customer, Discount, Identifier, Line, LineKind, RawRef, Receipt, Tax
from tillpost_square.money import money
from tillpost_square.settings import Settings
from tillpost_square.tenders import read_tenders

SEVERAL_CUSTOMERS = "several-customers"


class Order:
    """An order, and the answer it stands in, which may have its payments and refunds."""

    def __init__(self, form: JsonObject, answer: JsonObject, settings: Settings) -> None:
        self.form = form
        self.place = form.place
        self._answer = answer
        self._settings = settings

    @property
    def _payments(self) -> list[JsonObject]:
        number = self.form.text("id", "")
        return [payment for payment in self._answer.objects("payments") if payment.text("order_id", "") == number]

    @property
    def printed(self) -> str:
        """The number on the receipt, which a payment has; else the order's id."""
        numbers = (payment.text("receipt_number", "") for payment in self._payments)
        return next((number for number in numbers if number), self.form.text("id", ""))

    @property
    def _till(self) -> str:
        """The device of the first payment; "" where it has none."""
        devices = (payment.object_or_empty("device_details").text("device_id", "") for payment in self._payments)
        return next((device for device in devices if device), "")

    @property
    def _store(self) -> str:
        location = self.form.text("location_id")
        return self._settings.stores.get(location, location)

    @property
    def _when(self) -> str:
        return "closed_at" if self.form.has("closed_at") else "created_at"

    def make_id(self, make_id: MakeId) -> str:
        """The id, by the order's own."""
        number = self.form.text("id")
        if fault := broken_id(number):
            raise InvalidValue(f"{fault}; take the order as Square writes it", place=f"{self.place}.id")
        place = f"{self.place}.{self._when}"
        created, _ = parse_time(self.form.text(self._when), self._settings.timezone, place, utc=True)
        return make_id(store=self._store, till=self._till, business_date=created.date(), number=number)

    def read(self, source: RawRef, make_id: MakeId) -> Receipt:
        """The receipt. Raises InvalidValue with what is missing, or with the difference where it does not add up."""
        form, currency = self.form, self._currency()
        place = f"{self.place}.{self._when}"
        created, flags = parse_time(form.text(self._when), self._settings.timezone, place, utc=True)
        total = money(form, "total_money") - money(form.object_or_empty("return_amounts"), "total_money")
        lines, line_flags = self._read_lines(total, currency)
        tenders, tender_flags = read_tenders(form, self._answer, total, currency, self._settings.tenders)
        customer, customer_flags = self._customer()
        return Receipt(
            id=self.make_id(make_id),
            number=self.printed,
            created=created,
            business_date=created.date(),
            store=self._store,
            till=self._till,
            currency=currency,
            total=total,
            lines=lines,
            tenders=tenders,
            taxes=tuple(self._taxes()),
            customer=customer,
            flags=(*flags, *line_flags, *tender_flags, *customer_flags),
            raw=source,
        )

    def _currency(self) -> str:
        for holder in (
            self.form,
            self.form.object_or_empty("net_amounts"),
            self.form.object_or_empty("return_amounts"),
        ):
            if (total := holder.object("total_money")) is not None:
                return total.text("currency")
        raise InvalidValue("key 'total_money' is missing", place=self.place)

    # --- lines ---

    def _items(self) -> Iterator[tuple[JsonObject, int, str]]:
        """Every line item: 1 with "" for a bought one, -1 with the id of its order for a returned one."""
        for item in self.form.objects("line_items"):
            yield item, 1, ""
        for returned in self.form.objects("returns"):
            for item in returned.objects("return_line_items"):
                yield item, -1, returned.text("source_order_id", "")

    def _read_lines(self, total: Decimal, currency: str) -> tuple[tuple[Line, ...], tuple[str, ...]]:
        """The lines that sum to the total, in the first reading that does.

        A charge that is spread over the items is in their prices already, and so may be one that does not say it; the
        sign of a rounding is that of what was paid for it.
        """
        known = self._known_taxes()
        items = [self._line(item, sign, original, known) for item, sign, original in self._items()]
        charges, tips, rounding = list(self._charges()), list(self._tips()), self._rounding()
        words = (("as it is written", ""), ("the rounding with the opposite sign", "rounding-sign"))
        readings = []
        for with_charges, (said, flag) in product((True, False)[: 1 + bool(charges)], words[: 1 + bool(rounding)]):
            signed = -rounding if flag else rounding
            found = [*items, *(charges if with_charges else ()), *tips]
            found += [adjustment("rounding", signed, "rounding")] if signed else []
            said = said if with_charges else f"service charges in the prices, {said}"
            flag = flag if with_charges else "charge-in-price"
            readings.append(Reading(said, partial(_exact, found, total, currency), flag))
        return first_reading(readings)

    def _line(self, item: JsonObject, sign: int, original: str, known: Mapping[str, JsonObject]) -> Line:
        """A line; `total_money` of Square is what was paid for all of it, tax included, after discounts."""
        key = self._settings.sku
        other = "name" if key == "catalog_object_id" else "catalog_object_id"
        sku = item.text(key, "") or item.text(other, "") or item.text("item_type", "") or item.text("uid", "")
        tax_amount, discount = money(item, "total_tax_money"), money(item, "total_discount_money")
        variation = item.text("variation_name", "")
        quantity = sign * item.decimal("quantity")
        kind = LineKind.PURCHASE if sign > 0 else LineKind.RETURN
        return Line(
            kind=kind if quantity else LineKind.ADJUSTMENT,
            sku=sku,
            quantity=quantity,
            paid=sign * money(item, "total_money"),
            tax_amount=sign * tax_amount,
            tax_percent=_percent(item, known) if tax_amount else ZERO,
            article_number=sku,
            article_name=", ".join(filter(None, (item.text("name", ""), "" if variation == "Regular" else variation))),
            discounts=(Discount(type="discount", value=-sign * discount),) if discount else (),
            extra={"originalReceipt": original} if original else {},
        )

    def _charges(self) -> Iterator[Line]:
        """Service charges that stand beside the items; one that is apportioned is in their prices."""
        groups = [(self.form.objects("service_charges"), 1)]
        groups += [(returned.objects("return_service_charges"), -1) for returned in self.form.objects("returns")]
        for charges, sign in groups:
            for charge in charges:
                amount = money(charge, "total_money")
                if amount and charge.text("treatment_type", "") != "APPORTIONED_TREATMENT":
                    yield adjustment("service charge", sign * amount, charge.text("name", "service charge"))

    def _tips(self) -> Iterator[Line]:
        if tip := money(self.form, "total_tip_money"):
            yield adjustment("tip", tip, "tip")
        for returned in self.form.objects("returns"):
            for entry in returned.objects("return_tips"):
                if tip := money(entry, "applied_money"):
                    yield adjustment("tip", -tip, "tip")

    def _rounding(self) -> Decimal:
        """The rounding of cash, of what was bought less that of what was returned."""
        returned = [entry.object_or_empty("rounding_adjustment") for entry in self.form.objects("returns")]
        given_back = sum((money(entry, "amount_money") for entry in returned), ZERO)
        return money(self.form.object_or_empty("rounding_adjustment"), "amount_money") - given_back

    # --- taxes and people ---

    def _known_taxes(self) -> dict[str, JsonObject]:
        """The taxes of the order and of its returns, by uid."""
        returned = (entry for part in self.form.objects("returns") for entry in part.objects("return_taxes"))
        return {entry.text("uid", ""): entry for entry in (*self.form.objects("taxes"), *returned)}

    def _taxes(self) -> Iterator[Tax]:
        """One Tax for each of the order: its sum over the lines, returned ones negative, and what it is on."""
        for uid, entry in self._known_taxes().items():
            amount = base = ZERO
            for item, sign, _ in self._items():
                for applied in item.objects("applied_taxes"):
                    if applied.text("tax_uid", "") == uid:
                        amount += sign * money(applied, "applied_money")
                        base += sign * (money(item, "total_money") - money(item, "total_tax_money"))
            if amount:
                yield tax(entry.text("name", ""), entry.decimal("percentage", ZERO), amount, base)

    def _customer(self) -> tuple[Customer | None, tuple[str, ...]]:
        """The buyer, and the flag of an order that several paid for: then it is nobody's.

        The order's own customer_id comes before those of its tenders and payments. Who fetches the order is the buyer
        where nobody else is named.
        """
        paid = (*self.form.objects("tenders"), *self._payments)
        own = self.form.text("customer_id", "")
        numbers = {own} if own else {holder.text("customer_id", "") for holder in paid} - {""}
        mails = {holder.text("buyer_email_address", "").lower() for holder in paid} - {""}
        if len(numbers) > 1 or len(mails) > 1:
            return None, (SEVERAL_CUSTOMERS,)
        kind = str(self._settings.customer)
        found = [(kind, value) for value in numbers] + [("email", value) for value in mails]
        for fulfillment in () if found else self.form.objects("fulfillments"):
            recipient = fulfillment.object_or_empty("pickup_details").object_or_empty("recipient")
            keys = (("customer_id", kind), ("email_address", "email"), ("phone_number", "mobilePhone"))
            found += [(own, value) for key, own in keys if (value := recipient.text(key, ""))]
        for own, value in found:
            if own == kind and (fault := broken_id(value)):
                raise InvalidValue(f"{fault}; take the order as Square writes it", place=f"{self.place}.customer_id")
        identifiers = tuple(dict.fromkeys(Identifier(own, value) for own, value in found))
        return (Customer(identifiers=identifiers) if identifiers else None), ()


def _exact(lines: list[Line], total: Decimal, currency: str) -> tuple[Line, ...]:
    summed = sum((line.paid for line in lines), ZERO)
    if summed != total:
        raise mismatch("lines sum to", summed, "the order's total is", total, currency, place="line_items")
    return tuple(lines)


def _percent(item: JsonObject, known: Mapping[str, JsonObject]) -> Decimal:
    """The rate of a line: the sum of the taxes that are applied to it."""
    applied = [known[uid] for entry in item.objects("applied_taxes") if (uid := entry.text("tax_uid", "")) in known]
    return sum((entry.decimal("percentage", ZERO) for entry in applied), ZERO)
