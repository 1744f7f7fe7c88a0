"""A small till with a small adapter, sound or with one of the bugs that were met in the field."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, date, datetime, timezone
from decimal import Decimal
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from tillpost import Context, DocumentError, InvalidValue, Plugin, hookimpl, simple
from tillpost.kit import adjustment, parse_decimal, round_money, spread, vat_of_lines
from tillpost.model import (
    Broken,
    Customer,
    Discount,
    Document,
    Found,
    Identifier,
    Line,
    LineKind,
    NoReceipt,
    Parsed,
    RawRef,
    Receipt,
    Tax,
    Tender,
)
from tillpost.testing import PRESCRIBED_SALES, AdapterSuite
from tillpost.testing.prescribed import BROKEN_ID, PHONE_WRITTEN
from tillpost.testing.sample_suite import clock_changes

BUGS = {
    "sign of returns": "return",
    "unit for line price": "sale",
    "discount lost": "discount",
    "tax on top": "tax_on_top",
    "naive time": "local_time",
    "training sent": "training",
    "copy sent": "copy",
    "void line sent": "void_line",
    "float rounding": "receipt_discount",
    "wrong id recipe": "ids",
    "rounding lost": "rounding",
    "deposit twice": "deposit",
    "void link not followed": "void_link",
    "edit not followed": "edited",
    "id of the last change": "later",
    "one tax for all": "two_taxes",
    "national number dropped": "phone",
    "void without its sale": "void_after",
    "shortened number taken": "broken_id",
}
"""Planted bug → the promise named for it."""
GIVES = ("customer", "linked returns", "discounts", "taxes", "tenders")


@attrs.frozen(kw_only=True)
class Settings:
    """timezone: where the tills stand."""

    timezone: ZoneInfo


@attrs.frozen
class Adapter:
    """One JSON object a line; every figure is text."""

    settings: Settings
    context: Context
    bug: str = ""

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterator[Parsed]:
        with document.open() as file:
            for number, raw in enumerate(file, start=1):
                place = f"line {number}"
                try:
                    form = json.loads(raw.decode())
                except UnicodeDecodeError:
                    raise DocumentError("is not UTF-8", place) from None
                except json.JSONDecodeError:
                    yield Broken(reason=f"{place}: no JSON", place=place, raw=raw)
                    continue
                yield self._parsed(form, raw, RawRef(sha256=document.sha256, document=document.name, place=place))

    def _parsed(self, form: Any, raw: bytes, source: RawRef) -> Parsed:
        if form.get("takes_back"):
            voids = self._id(form, date.fromisoformat(form["time"][:10])) if self.bug != "void without its sale" else ""
            return NoReceipt(reason="voided later", place=source.place, retail=True, number=form["number"], voids=voids)
        for word in ("training", "copy", "suspended", "voided"):
            if form.get(word) and self.bug != f"{word} sent":
                return NoReceipt(reason=word, place=source.place, retail=True, number=form["number"])
        try:
            return Found(receipt=self._receipt(form, source), raw=raw)
        except InvalidValue as error:
            return Broken(reason=str(error), place=source.place, raw=raw, number=form["number"])

    def _receipt(self, form: Any, source: RawRef) -> Receipt:
        if "E+" in form["number"] and self.bug != "shortened number taken":
            raise InvalidValue("a spreadsheet shortened the number")
        gone = {item.get("voids") for item in form["items"]} if self.bug != "void link not followed" else set()
        lines = [
            self._line(item)
            for place, item in enumerate(form["items"])
            if (not item.get("void") or self.bug == "void line sent")
            and (not item.get("taken_out") or self.bug == "edit not followed")
            and "voids" not in item
            and place not in gone
        ]
        if off := Decimal(form.get("off", "0")):
            lines = self._spread(lines, off, form["currency"])
        taxes = []
        if percent := Decimal(form.get("tax_percent", "0")):
            [line] = lines
            on_top = form["tax"] == "on top" and self.bug != "tax on top"
            tax = round_money(line.paid * percent / (100 if on_top else 100 + percent), form["currency"])
            paid = line.paid + tax if on_top else line.paid
            lines = [attrs.evolve(line, paid=paid, tax_amount=tax, tax_percent=percent)]
            taxes = [Tax(description="VAT", percent=percent, amount=tax, including_tax=paid, excluding_tax=paid - tax)]
        for line in lines if (by_line := form.get("tax_by_line")) else ():
            percent = Decimal(by_line[line.sku]) if self.bug != "one tax for all" else Decimal(25)
            tax = round_money(line.paid * percent / (100 + percent), form["currency"])
            lines[lines.index(line)] = attrs.evolve(line, tax_amount=tax, tax_percent=percent)
        taxes += vat_of_lines(lines) if by_line else ()
        others = (
            []
            if self.bug == "rounding lost"
            else [adjustment(name, Decimal(paid), name) for name, paid in form["others"]]
        )
        lines += others * (2 if self.bug == "deposit twice" else 1)
        total = sum((line.paid for line in lines), Decimal(0))
        tenders = [Tender(type=kind, amount=Decimal(amount)) for kind, amount in form["paid"]]
        if self.bug:  # careless code makes its figures fit, so that only the promise sees it
            tenders = [Tender(type=form["paid"][0][0], amount=total)]
        created, flags = self._time(form["time"])
        day = date.fromisoformat(form["time"][:10])
        return Receipt(
            id=self._id(form, day),
            number=form["number"],
            created=created,
            business_date=day,
            store=form["store"],
            till=form["till"],
            currency=form["currency"],
            total=total,
            lines=tuple(lines),
            tenders=tuple(tenders),
            taxes=tuple(taxes),
            customer=self._customer(form),
            flags=flags,
            raw=source,
        )

    def _customer(self, form: Any) -> Customer | None:
        known = [Identifier(*pair) for pair in form["who"]]
        if self.bug == "national number dropped":
            known = [each for each in known if each.kind != "mobilePhone"]
        return Customer(identifiers=tuple(known)) if known else None

    def _line(self, item: Any) -> Line:
        quantity, price = (parse_decimal(item[name], name) for name in ("quantity", "price"))
        off = Decimal(item.get("off", "0"))
        paid = price * quantity - off
        if self.bug == "unit for line price":
            paid = price - off
        if self.bug == "sign of returns":
            quantity, paid = abs(quantity), abs(paid)
        return Line(
            kind=LineKind.RETURN if quantity < 0 else LineKind.PURCHASE,
            sku=item["sku"],
            quantity=quantity,
            paid=paid,
            article_name=item["name"].replace("\x0b", ""),
            discounts=(Discount(type="price", value=-off),) if off and self.bug != "discount lost" else (),
            extra={"originalReceipt": item["bought"]} if "bought" in item else {},
        )

    def _spread(self, lines: list[Line], off: Decimal, currency: str) -> list[Line]:
        shares = spread(-off, [line.paid for line in lines], currency)
        if self.bug == "float rounding":
            total = float(sum(line.paid for line in lines))
            shares = tuple(Decimal(str(round(-float(off) * float(line.paid) / total, 2))) for line in lines)
        return [
            attrs.evolve(line, paid=line.paid + share, discounts=(Discount(type="receipt", value=share),))
            for line, share in zip(lines, shares, strict=True)
        ]

    def _time(self, written: str) -> tuple[datetime, tuple[str, ...]]:
        local = datetime.fromisoformat(written)
        if self.bug == "naive time":
            return local.replace(tzinfo=UTC), ()
        first, second = (local.replace(tzinfo=self.settings.timezone, fold=fold) for fold in (0, 1))
        settled = first.astimezone(UTC).astimezone(self.settings.timezone)
        flags: tuple[str, ...] = ()
        if settled.replace(tzinfo=None) != local:
            flags = ("dst-gap",)
        elif first.utcoffset() != second.utcoffset():
            flags = ("dst-ambiguous",)
        offset = settled.utcoffset()
        assert offset is not None
        return settled.replace(tzinfo=timezone(offset), fold=0), flags

    def _id(self, form: Any, day: date) -> str:
        if self.bug == "wrong id recipe":
            return f"{form['store']}-{form['number']}"
        if self.bug == "id of the last change":
            day = date.fromisoformat(form["changed"])
        return self.context.receipt_id(store=form["store"], till=form["till"], business_date=day, number=form["number"])


def plugin(bug: str = "") -> Plugin:
    """The till's adapter, with this bug."""
    return simple("a small till", "adapter", Settings, lambda settings, context: Adapter(settings, context, bug), GIVES)


class SmallTillPromises(AdapterSuite):
    """The suite of the small till; its files are made of the prescribed sales."""

    plugin = plugin()
    settings = {"timezone": "Europe/Stockholm"}

    def sample(self, promise: str) -> bytes | None:
        sales = [self._form(promise, number) for number in self.numbers]
        if promise not in ("day", "bad_amount", "broken_id"):
            return _line(sales[0])
        if promise == "broken_id":
            sales[1]["number"] = BROKEN_ID
        if promise == "bad_amount":
            sales[1]["items"][0]["price"] = "abc"
        return b"".join(map(_line, sales))

    def repeat_line(self, count: int) -> bytes:
        form = self._form("no_customer", "1001")
        form["items"] = [form["items"][0] | {"price": "1.00"}] * count
        form["paid"] = [("card", f"{count}.00")]
        return _line(form)

    def _form(self, promise: str, number: str) -> dict[str, Any]:
        sale = PRESCRIBED_SALES[promise]
        missing, double = clock_changes(self.timezone)
        when = {"dst_double": double, "dst_missing": missing}.get(promise, datetime(2026, 3, 14, 15, 30))  # noqa: DTZ001
        who = [("externalId", self.customer)] * sale.customer + [("email", "anna@example.com")] * sale.email
        who += [("mobilePhone", PHONE_WRITTEN)] if promise == "phone" else []
        form: dict[str, Any] = {
            "number": number, "time": when.isoformat(), "store": self.store, "till": self.till, "who": who,
            "changed": "2026-03-20" if promise == "later" else "2026-03-14", "takes_back": promise == "void_after",
            "others": [(promise, amount) for amount in sale.others],
            "currency": "EUR" if promise == "foreign_currency" else self.currency, "paid": sale.tenders,
            "items": [
                {"sku": line.sku, "name": line.name, "quantity": line.quantity,
                 "price": (line.paid - line.discount) / line.quantity, "off": -line.discount}
                for line in sale.lines
            ],
        }  # fmt: skip
        word = {"void_receipt": "voided"}.get(promise, promise)
        if word in ("voided", "training", "copy", "suspended"):
            form[word] = True
        if promise == "void_line":
            form["items"].append({"sku": "B-1", "name": "B", "quantity": "1", "price": "30.00", "void": True})
        if promise in ("void_link", "edited"):
            form["items"].append(
                {"sku": "B-1", "name": "B", "quantity": "1", "price": "30.00", "taken_out": promise == "edited"}
            )
        if promise == "void_link":
            form["items"].append({"voids": 1})
        if promise == "two_taxes":
            form["tax_by_line"] = {"A-1": "25", "B-1": "12"}
        if promise == "return":
            form["items"][0]["bought"] = "12-900"
        if promise == "receipt_discount":
            form["off"] = "10.00"
            form["items"] = [item | {"off": "0"} for item in form["items"]]
        if promise in ("tax_inside", "tax_on_top"):
            form |= {"tax_percent": "25", "tax": promise.removeprefix("tax_").replace("_", " ")}
            form["items"][0]["price"] = "100.00" if promise == "tax_on_top" else "125.00"
        return form


def _line(form: dict[str, Any]) -> bytes:
    return json.dumps(form, default=str, ensure_ascii=False).encode() + b"\n"
