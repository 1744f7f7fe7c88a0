"""A day of receipts of a few stores from a seed: the same seed gives the same day, byte for byte."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from datetime import date, datetime, timedelta
from decimal import Decimal
from random import Random
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import Customer, Promotion, RawRef, Receipt, receipt_id
from tillpost.model.receipt_json import dumps
from tillpost_demo.basket import Basket, make_basket
from tillpost_demo.people import Person, make_people

DAY = date(2025, 11, 28)
ZONE = ZoneInfo("Europe/Stockholm")
CURRENCY = "SEK"
STORES = ("101", "102", "205")
TILLS = ("1", "2")
_OPENS, _OPEN_HOURS = 9, 11


@attrs.frozen
class Day:
    """A generated day: its receipts in the order of the clock, and the customers Engage knows beforehand."""

    receipts: tuple[Receipt, ...]
    known: tuple[Person, ...]


def make_day(seed: int, receipts: int) -> Day:
    """About half of the receipts of known customers, a third of new ones, the rest of none.

    Sales, returns, exchanges, line and receipt discounts, weighed goods, mixed tenders, change and cash rounding.
    Raises ValueError when `receipts` is below 1.
    """
    if receipts < 1:
        raise ValueError("a day has at least one receipt")
    random = Random(seed)  # noqa: S311 - a day that can be made again is the point
    people = make_people(random, known=max(4, receipts // 6), new=max(3, receipts // 8))
    seconds = sorted(random.sample(range(_OPEN_HOURS * 3600), receipts))
    opening = datetime(DAY.year, DAY.month, DAY.day, _OPENS, tzinfo=ZONE)
    numbers = {(store, till): random.randint(1000, 7000) for store in STORES for till in TILLS}
    generated = []
    for second in seconds:
        place = random.choice(STORES), random.choice(TILLS)
        numbers[place] += 1
        customer = _customer(random, people)
        basket = make_basket(random, CURRENCY)
        generated.append(_receipt(opening + timedelta(seconds=second), place, str(numbers[place]), basket, customer))
    return Day(tuple(generated), tuple(person for person in people if person.known))


def documents(receipts: Sequence[Receipt]) -> list[tuple[str, bytes]]:
    """The day as its stores export it: one file of JSON lines a store and hour, in the order of the clock."""
    hours: dict[tuple[int, str], list[Receipt]] = {}
    for receipt in receipts:
        hours.setdefault((receipt.created.hour, receipt.store), []).append(receipt)
    return [
        (f"store-{store}_{DAY:%Y%m%d}_{hour:02}.jsonl", b"".join(dumps(receipt) + b"\n" for receipt in sold))
        for (hour, store), sold in sorted(hours.items(), key=lambda entry: entry[0])
    ]


def _customer(random: Random, people: Sequence[Person]) -> Customer | None:
    share = random.random()
    if share < 0.12:
        return None
    person = random.choice([person for person in people if person.known == (share < 0.62)])
    return person.at_the_till(random)


def _receipt(
    created: datetime, place: tuple[str, str], number: str, basket: Basket, customer: Customer | None
) -> Receipt:
    store, till = place
    identity = receipt_id(store=store, till=till, business_date=DAY, number=number)
    return Receipt(
        id=identity,
        number=number,
        created=created,
        business_date=DAY,
        store=store,
        till=till,
        currency=CURRENCY,
        total=sum((line.paid for line in basket.lines), Decimal(0)),
        lines=basket.lines,
        tenders=basket.tenders,
        taxes=basket.taxes,
        customer=customer,
        promotions=tuple(Promotion(promotion_id=name) for name in basket.promotions),
        raw=RawRef(sha256=hashlib.sha256(identity.encode()).hexdigest(), document="generated", place=f"till {till}"),
    )
