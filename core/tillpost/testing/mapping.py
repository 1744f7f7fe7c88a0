"""The promises of a mapping and of an amendment: the body is made of the receipt alone, and nothing is lost in it."""

from __future__ import annotations

import copy
from collections.abc import Iterator, Mapping, Sequence
from datetime import UTC, date, datetime
from decimal import Decimal
from functools import cache, cached_property
from typing import Any, ClassVar

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Customer, Identifier, Line, LineKind, Payload, RawRef, Receipt, Tender
from tillpost.plugin import Plugin
from tillpost.testing.prescribed import DAY, EMAIL, PHONE, PRESCRIBED_SALES, Sale
from tillpost.testing.suite import Suite, check, fail

CUSTOMER = "C-1001"
MATCHES = (
    Identifier("contactId", "5f1d7c3e-0000-4000-8000-5f1d7c3e0001"),
    Identifier("externalId", CUSTOMER),
    Identifier("email", EMAIL),
    Identifier("mobilePhone", PHONE),
)
"""Who a receipt is tied to: by API, and in a file."""
_SALES = ("sale", "return", "exchange", "mixed_tender", "change", "deposit", "discount", "gift_card", "no_customer")
_ODD = {
    "weighed": Line(kind=LineKind.PURCHASE, sku="A-1", quantity=Decimal("0.317"), paid=Decimal("12.49")),
    "free": Line(kind=LineKind.PURCHASE, sku="A-1", quantity=Decimal(1), paid=Decimal(0)),
    "huge": Line(kind=LineKind.PURCHASE, sku="A-1", quantity=Decimal(10**12), paid=Decimal(10**9)),
    "divided": Line(kind=LineKind.PURCHASE, sku="A-1", quantity=Decimal(3), paid=Decimal("10.00")),
    "long text": Line(
        kind=LineKind.PURCHASE, sku="A" * 5000, quantity=Decimal(1), paid=Decimal(1), article_name="Å" * 9000
    ),
}
"""Lines that a destination may have no way to say."""


@cache
def sample_receipts() -> Mapping[str, Receipt]:
    """Receipts of the prescribed sales, and odd ones, by what they are about."""
    sales = {
        name: _receipt(*_lines(PRESCRIBED_SALES[name]), tenders=_tenders(PRESCRIBED_SALES[name])) for name in _SALES
    }
    odd = {name: _receipt(line) for name, line in _ODD.items()}
    whole = _receipt(attrs.evolve(_ODD["free"], paid=Decimal(500)), currency="JPY")
    return sales | odd | {"no decimals": whole, "without lines": _receipt()}


def _lines(sale: Sale) -> Iterator[Line]:
    for line in sale.lines:
        kind = LineKind.RETURN if line.quantity < 0 else LineKind.PURCHASE
        yield Line(kind=kind, sku=line.sku, quantity=line.quantity, paid=line.paid, article_name=line.name)
    for amount in sale.others:
        yield Line(kind=LineKind.ADJUSTMENT, sku="other", quantity=Decimal(1), paid=amount)


def _tenders(sale: Sale) -> tuple[Tender, ...]:
    return tuple(Tender(type=kind, amount=amount) for kind, amount in sale.tenders)


def _receipt(*lines: Line, tenders: tuple[Tender, ...] = (), currency: str = "SEK") -> Receipt:
    total = sum((line.paid for line in lines), Decimal(0))
    return Receipt(
        id="12_3_2026-03-14_1001",
        number="1001",
        created=datetime(2026, 3, 14, 14, 30, tzinfo=UTC),
        business_date=DAY,
        store="12",
        till="3",
        currency=currency,
        total=total,
        lines=lines,
        tenders=tenders or ((Tender(type="card", amount=total),) if total else ()),
        customer=Customer(identifiers=(Identifier("externalId", CUSTOMER), Identifier("email", EMAIL))),
        raw=RawRef(sha256="0" * 64, document="suite", place="1"),
    )


class _BodySuite(Suite):
    """What both promise of the body they make."""

    settings: ClassVar[Mapping[str, Any]] = {}
    """The plugin's table, as a configuration would write it."""

    def receipts(self) -> Mapping[str, Receipt]:
        """The receipts that are tried, by what they are about; add those your plugin is about."""
        return sample_receipts()

    def body(self, receipt: Receipt, match: Identifier) -> Payload:
        """The body as the plugin leaves it. Raises InvalidValue."""
        raise NotImplementedError

    def _bodies(self, promise: str, match: Identifier = MATCHES[0]) -> Iterator[tuple[str, Receipt, Payload]]:
        """Those of the receipts that the destination can be told."""
        for name, receipt in self.receipts().items():
            try:
                yield name, receipt, self.body(receipt, match)
            except InvalidValue:
                continue
            except PluginError as error:
                fail(promise, f"{name}: {error}")

    def test_refused(self) -> None:
        """What the destination has no way to say raises InvalidValue, whose reason shows nobody."""
        for name, receipt in self.receipts().items():
            for match in MATCHES:
                try:
                    self.body(receipt, match)
                except InvalidValue as error:
                    shown = [value for value in (CUSTOMER, EMAIL, PHONE) if value in str(error)]
                    check("refused", f"{name}: the reason shows who bought" if shown else "")
                    check("refused", f"{name}: it has no reason" if not str(error).strip() else "")
                except PluginError as error:
                    fail("refused", f"{name}: {error}")

    def test_same_twice(self) -> None:
        """The same receipt gives the same body, whatever was before it."""
        first = {name: payload for name, _, payload in self._bodies("same_twice")}
        again = dict(reversed([(name, payload) for name, _, payload in self._bodies("same_twice")]))
        check("same_twice", *(f"{name}: the second body is another" for name in first if again[name] != first[name]))

    def test_values(self) -> None:
        """A body is made of text, whole numbers, Decimal, true and false, lists and mappings: no float, no date."""
        for name, _, payload in self._bodies("values"):
            check("values", *(f"{name}: {fault}" for fault in _wrong_values(payload.fields, "")))


class MapSuite(_BodySuite):
    """Set `plugin` and `settings`: the mapping is tried on prescribed receipts."""

    never_waived = frozenset({"refused", "same_twice", "values", "total"})

    def body(self, receipt: Receipt, match: Identifier) -> Payload:
        """The body of the mapping."""
        return self._hooks.map_receipt(receipt, match)

    @cached_property
    def _hooks(self) -> HookCalls:
        return self.hooks({"map": self.settings})

    def test_total(self) -> None:
        """The total is in the body as a Decimal, to the last digit."""
        for name, receipt, payload in self._bodies("total"):
            numbers = [value for value in _leaves(payload.fields) if isinstance(value, Decimal)]
            check("total", "" if receipt.total in numbers else f"{name}: {receipt.total} is not in the body")

    def test_lines(self) -> None:
        """Every line is in the body."""
        for name, receipt, payload in self._bodies("lines"):
            texts = [str(value) for value in _leaves(payload.fields)]
            missing = sorted({line.sku for line in receipt.lines if line.sku not in texts})
            check("lines", f"{name}: {', '.join(missing)[:80]} is not in the body" if missing else "")

    def test_matched(self) -> None:
        """The body names the contact by the identifier it was given, and by no other one of the customer."""
        for match in MATCHES:
            for name, _, payload in self._bodies("matched", match):
                texts = {str(value) for value in _leaves(payload.fields)}
                others = {each.value for each in MATCHES if each != match} & texts
                check(
                    "matched",
                    "" if match.value in texts else f"{name}: it does not name the contact by {match.kind}",
                    f"{name}: tied by {match.kind}, it also has another identifier of the customer" if others else "",
                )

    def test_return_told_apart(self) -> None:
        """What is handed back does not look like what is bought."""
        given = self.receipts()
        bought, returned = given["no_customer"], given["return"]
        try:
            bodies = [self.body(each, MATCHES[0]).fields for each in (bought, returned)]
        except InvalidValue:
            return
        except PluginError as error:
            fail("return_told_apart", str(error))
        check("return_told_apart", "a purchase and its return have the same body" if bodies[0] == bodies[1] else "")


class AmendSuite(_BodySuite):
    """Set `plugin` and `settings`; `map_plugin` makes the bodies that are changed, by `map_settings`."""

    never_waived = frozenset({"refused", "same_twice", "values", "given_unchanged"})
    map_plugin: ClassVar[str | Plugin] = "engage"
    map_settings: ClassVar[Mapping[str, Any]] = {}

    def mapped(self, receipt: Receipt, match: Identifier) -> Payload:
        """The body before the plugin. Raises InvalidValue."""
        return self._mapping.map_receipt(receipt, match)

    def body(self, receipt: Receipt, match: Identifier) -> Payload:
        """The body after the plugin."""
        return self._amended(self.mapped(receipt, match), receipt)

    def _amended(self, payload: Payload, receipt: Receipt) -> Payload:
        return self._hooks.amend_payload(payload, receipt)

    @cached_property
    def _mapping(self) -> HookCalls:
        mapping: type[Suite] = type("Mapping", (Suite,), {"plugin": self.map_plugin})
        return mapping().hooks({"map": self.map_settings})

    @cached_property
    def _hooks(self) -> HookCalls:
        return self.hooks({"amend": self.settings})

    def test_given_unchanged(self) -> None:
        """The body it is given stays as it is: what is changed is a copy."""
        for name, receipt, mapped in self._mapped():
            before = copy.deepcopy(mapped.fields)
            self._tried("given_unchanged", name, mapped, receipt)
            check("given_unchanged", "" if mapped.fields == before else f"{name}: the body it was given is another now")

    def test_changes(self) -> None:
        """It changes the body of one of `receipts` at least; add one that it is about."""
        seen = 0
        for name, receipt, mapped in self._mapped():
            before = copy.deepcopy(mapped.fields)
            after = self._tried("changes", name, mapped, receipt)
            seen += after is not None and after.fields != before
        check("changes", "" if seen else "it changes none of them")

    def _mapped(self) -> Iterator[tuple[str, Receipt, Payload]]:
        for name, receipt in self.receipts().items():
            try:
                yield name, receipt, self.mapped(receipt, MATCHES[0])
            except InvalidValue:
                continue

    def _tried(self, promise: str, name: str, mapped: Payload, receipt: Receipt) -> Payload | None:
        try:
            return self._amended(mapped, receipt)
        except InvalidValue:
            return None
        except PluginError as error:
            fail(promise, f"{name}: {error}")


def _leaves(value: Any) -> Iterator[Any]:
    if isinstance(value, Mapping):
        for each in value.values():
            yield from _leaves(each)
    elif isinstance(value, Sequence) and not isinstance(value, str | bytes):
        for each in value:
            yield from _leaves(each)
    else:
        yield value


def _wrong_values(value: Any, place: str) -> Iterator[str]:
    """What is in a body and cannot be written, each with its place."""
    if isinstance(value, Mapping):
        for key, each in value.items():
            if not isinstance(key, str):
                yield f"{place or 'the body'} has the key {key!r}, which is no text"
            yield from _wrong_values(each, f"{place}.{key}".lstrip("."))
    elif isinstance(value, list | tuple):
        for number, each in enumerate(value):
            yield from _wrong_values(each, f"{place}[{number}]")
    elif isinstance(value, Decimal) and not value.is_finite():
        yield f"{place} is {value}"
    elif isinstance(value, date) or not isinstance(value, str | int | Decimal | bool):
        what = "a text (its isoformat())" if isinstance(value, date) else "text, int, Decimal, bool, list or mapping"
        yield f"{place} is a {type(value).__name__}, not {what}"
