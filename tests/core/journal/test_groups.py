"""A group of records gives the journal that its records give one by one, whatever they have in common."""

from __future__ import annotations

import itertools
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from unittest.mock import patch

import attrs
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.support.engine import store_of
from tests.support.memory import memory_folder
from tests.support.receipts import DOCUMENT, receipt
from tillpost.journal import Accepted, Journal, State
from tillpost.journal.tables.acceptance import accept_records
from tillpost.journal.tables.new_rows import NewRows
from tillpost.model import Broken, Customer, Found, Identifier, NoReceipt, Parsed

HOUSE = Customer(identifiers=(Identifier("externalId", "HOUSE"),))
TABLES = ("receipts", "bodies", "events", "no_receipts", "contacts", "identifiers")
DAMAGE = "UPDATE bodies SET body = CAST('{}' AS BLOB) WHERE seq IN (SELECT seq FROM receipts WHERE number = ?)"

IDENTIFIERS = st.lists(
    st.sampled_from([("externalId", "1"), ("externalId", "2"), ("email", "a@example.com"), ("email", "b@example.com")]),
    max_size=3,
    unique=True,
)
CUSTOMERS = st.none() | st.builds(
    lambda names, attributes: Customer(identifiers=tuple(itertools.starmap(Identifier, names)), attributes=attributes),
    IDENTIFIERS,
    st.dictionaries(st.sampled_from(["firstName", "city"]), st.sampled_from(["Eva", "Lund"]), max_size=2),
)


@st.composite
def records(draw: st.DrawFn) -> Parsed:
    number = draw(st.sampled_from(["1", "2", "3", "4"]))
    kind = draw(st.sampled_from(["found"] * 6 + ["broken", "none"]))
    if kind == "broken":
        return Broken(reason=f"reason {number}", place=f"line {number}", raw=b"<x/>", number=number)
    if kind == "none":
        return NoReceipt(reason="sign-on", place=f"line {number}", retail=number == "1")
    made = receipt(number=number, price=draw(st.sampled_from(["10.00", "10.00", "11.00"])))
    flags = draw(st.sampled_from([(), (), ("clock-off",)]))
    made = attrs.evolve(made, customer=draw(CUSTOMERS), flags=flags, store=draw(st.sampled_from(["12", "13"])))
    return Found(receipt=made, raw=number.encode())


def tables(folder: Path) -> dict[str, list[tuple[object, ...]]]:
    connection = sqlite3.connect(folder / "journal.db")
    try:
        return {table: sorted(connection.execute(f"SELECT * FROM {table}"), key=repr) for table in TABLES}
    finally:
        connection.close()


def accepted(groups: Sequence[Sequence[Parsed]], anonymous: Customer | None, damaged: str, after: int) -> object:
    """What the journal holds, and what was counted, with one body damaged after so many groups."""
    keys = (f"{number:016}" for number in itertools.count())
    with memory_folder() as folder, patch("secrets.token_hex", lambda _: next(keys)):
        journal, counts = Journal(folder), Accepted()
        for number, group in enumerate(groups):
            if number == after:
                store_of(journal).write(lambda connection: connection.execute(DAMAGE, (damaged,)) and None)
            journal.receipts.accept(group, DOCUMENT, anonymous, 100.0, counts)
        journal.close()
        return tables(folder), counts


@given(
    before=st.lists(records(), max_size=3),
    group=st.lists(records(), min_size=2, max_size=7),
    anonymous=st.sampled_from([None, HOUSE]),
    damaged=st.sampled_from(["1", "2", "none"]),
)
@settings(max_examples=120, deadline=None, suppress_health_check=[HealthCheck.too_slow])
def test_a_group_gives_what_its_records_give_one_by_one(
    before: list[Parsed], group: list[Parsed], anonymous: Customer | None, damaged: str
) -> None:
    together = accepted([before, group], anonymous, damaged, 1)
    alone = accepted([*([each] for each in before), *([each] for each in group)], anonymous, damaged, len(before))
    assert together == alone


def put(journal: Journal, *made: Parsed) -> Accepted:
    counts = Accepted()
    journal.receipts.accept(made, DOCUMENT, None, 100.0, counts)
    return counts


def sale(number: str, price: str = "10.00", **names: str) -> Found:
    who = Customer(identifiers=tuple(itertools.starmap(Identifier, names.items()))) if names else None
    return Found(receipt=attrs.evolve(receipt(number=number, price=price), customer=who), raw=b"{}")


def test_the_same_receipt_twice_in_a_group_is_there_once(journal: Journal) -> None:
    counts = put(journal, sale("1", externalId="7"), sale("1", externalId="7"))
    assert (counts.accepted, counts.duplicates) == (1, 1)
    assert journal.receipts.counts()[State.ACCEPTED] == 1


def test_two_contents_of_one_id_in_a_group_are_distinguished(journal: Journal) -> None:
    other = sale("1", "11.00", externalId="7")
    counts = put(journal, sale("1", externalId="7"), sale("2", externalId="7"), other, other)
    assert (counts.accepted, counts.held, counts.duplicates) == (2, 1, 1)
    (held,) = journal.receipts.find({"state": State.HELD})
    assert "10.00 → 11.00" in held.reason
    assert held.seq == 3


def test_a_new_contact_twice_in_a_group_is_made_once(journal: Journal) -> None:
    put(journal, sale("1", externalId="7"), sale("2", externalId="7"))
    (contact,) = journal.contacts.all()
    assert [event["what"] for event in journal.events.of_contact(str(contact["key"]))] == ["first seen"]


def test_a_customer_named_differently_in_a_group_is_one_contact(journal: Journal) -> None:
    put(
        journal,
        sale("1", externalId="7"),
        sale("2", externalId="7", email="a@example.com"),
        sale("3", email="a@example.com"),
    )
    (contact,) = journal.contacts.all()
    assert {entry.contact for entry in journal.receipts.find({})} == {contact["key"]}
    kinds = [known.kind for known in journal.contacts.get(str(contact["key"])).identifiers]
    assert kinds == ["email", "externalId"]


def test_events_are_in_the_order_in_which_they_happened(journal: Journal) -> None:
    put(journal, sale("1", externalId="7"), sale("2"), sale("3", externalId="8"))
    recorded = [(event["what"], event["receipt"] or "contact") for event in journal.events.unobserved(10)]
    number = {entry.id: entry.number for entry in journal.receipts.find({})}
    assert [(what, number.get(whose, whose)) for what, whose in recorded] == [
        ("first seen", "contact"), ("accepted", "1"), ("skipped", "2"), ("first seen", "contact"), ("accepted", "3"),
    ]  # fmt: skip


def test_a_group_costs_a_few_statements_and_not_some_for_each_receipt(journal: Journal) -> None:
    """Prepared once each: what is left for each receipt are its values."""
    prepared: list[str] = []
    group = [sale(str(number), externalId=str(number % 7)) for number in range(100)]

    def work(connection: object) -> None:
        traced = Traced(connection, prepared)
        accept_records(NewRows(traced, 100.0), group, DOCUMENT, None)  # type: ignore[arg-type]

    store_of(journal).write(work)
    assert len(prepared) <= 14, prepared  # four of them count (tally, tills)
    assert journal.receipts.counts()[State.ACCEPTED] == 100


class Traced:
    """A connection that notes what it is asked."""

    def __init__(self, connection: object, asked: list[str]) -> None:
        self._connection, self._asked = connection, asked

    def execute(self, sql: str, values: tuple[object, ...] = ()) -> object:
        self._asked.append(sql)
        return self._connection.execute(sql, values)  # type: ignore[attr-defined]

    def executemany(self, sql: str, values: object) -> object:
        self._asked.append(sql)
        return self._connection.executemany(sql, values)  # type: ignore[attr-defined]
