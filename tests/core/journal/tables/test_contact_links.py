"""Laws of links: people with cards of their own are never joined, and nothing older is written over newer."""

from __future__ import annotations

import itertools
import json
from datetime import UTC, datetime
from pathlib import Path

import attrs
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tests.support.engine import store_of
from tests.support.memory import memory_folder
from tests.support.receipts import accept, found
from tillpost.errors import UsageError
from tillpost.journal import Journal
from tillpost.model import STRONG, Customer, Identifier

Keys = tuple[tuple[str, str], ...]
CARD_A, CARD_B, MEMBER, MAIL = (
    ("externalId", "A"),
    ("externalId", "B"),
    ("memberNumber", "7"),
    ("email", "f@example.se"),
)
IDENTIFIERS = st.sampled_from(
    [CARD_A, CARD_B, MEMBER, ("memberNumber", "8"), MAIL, ("email", "g@example.se"), ("mobilePhone", "+46701234567")]
)
SALES = st.lists(st.lists(IDENTIFIERS, min_size=1, max_size=3, unique_by=lambda name: name[0]).map(tuple), max_size=9)


def accepted(journal: Journal, keys: Keys, number: int, at: float = 0.0, **attributes: str) -> str:
    """The contact of a sale with these identifiers at this time."""
    sale = found(number=str(number))
    customer = Customer(identifiers=tuple(itertools.starmap(Identifier, keys)), attributes=attributes)
    receipt = attrs.evolve(sale.receipt, customer=customer, created=datetime.fromtimestamp(at, UTC))
    accept(journal, attrs.evolve(sale, receipt=receipt), now=1e9 + number)
    entry = journal.receipts.get(receipt.id)
    assert entry is not None
    return entry.contact or ""


@given(sales=SALES)
@example(sales=[(CARD_A, MAIL), (CARD_B, MAIL), (CARD_B,)])
@example(sales=[(CARD_A, MAIL), (MEMBER, MAIL), (CARD_B, MEMBER)])
@example(sales=[(MEMBER, CARD_A), (("memberNumber", "8"), CARD_A)])
@settings(max_examples=60, deadline=None)
def test_links_never_join_people_with_different_cards(sales: list[Keys]) -> None:
    with memory_folder() as folder:
        journal = Journal(Path(folder) / "state")
        owners = [accepted(journal, keys, number) for number, keys in enumerate(sales)]
        rows = store_of(journal).read("SELECT kind, value, contact FROM identifiers")
        journal.close()
    cards = [(kind, value, contact) for kind, value, contact in rows if kind in STRONG]
    assert len({(kind, value) for kind, value, _ in cards}) == len(cards), "a card belongs to one contact"
    assert len({(kind, contact) for kind, _, contact in cards}) == len(cards), "a contact has one card of a kind"
    for keys, owner in zip(sales, owners, strict=True):
        for kind, value in keys:
            others = {each for known, each, contact in cards if known == kind and contact == owner}
            if not others <= {value}:
                # It has another card of this kind: a stronger one of the sale led here, and that is the contact's own.
                assert any((*name, owner) in cards for name in keys if name[0] in STRONG and name[0] != kind)


@given(order=st.permutations(range(5)))
@settings(max_examples=30, deadline=None)
def test_the_latest_sale_decides_whatever_the_order_of_arrival(order: list[int]) -> None:
    with memory_folder() as folder:
        journal = Journal(Path(folder) / "state")
        for number in order:
            said = {"city": f"city {number}"} | ({"street": f"street {number}"} if number % 2 else {})
            key = accepted(journal, (CARD_A,), number, at=1000.0 + number, **said)
        contact = journal.contacts.get(key)
        journal.close()
    assert contact.attributes == {"city": "city 4", "street": "street 3"}
    assert contact.attribute_times == {"city": 1004.0, "street": 1003.0}


def test_an_address_that_everybody_has_leads_to_nobody() -> None:
    """The shop's own address, typed for customers who have none."""
    with memory_folder() as folder:
        journal = Journal(Path(folder) / "state")
        cards = {accepted(journal, (("externalId", str(number)), MAIL), number) for number in range(30)}
        assert len(cards) == 30
        nobody = accepted(journal, (MAIL,), 99)
        assert nobody not in cards
        assert accepted(journal, (MAIL,), 100) == nobody
        assert [each.kind for each in journal.contacts.get(nobody).identifiers] == ["email"]
        (count,) = store_of(journal).read("SELECT count(*) FROM identifiers WHERE kind = 'email'")
        assert count[0] <= 11
        journal.close()


def test_three_spellings_of_a_national_id_are_one_person() -> None:
    with memory_folder() as folder:
        journal = Journal(Path(folder) / "state")
        spellings = ("19850709-9805", "850709-9805", "8507099805", "198507099805")
        people = {accepted(journal, (("socialSecurityNumber", each),), number) for number, each in enumerate(spellings)}
        finnish = {accepted(journal, (("socialSecurityNumber", each),), 9) for each in ("131052-308T", "131052-308t")}
        assert (len(people), len(finnish)) == (1, 1)
        journal.close()


def test_contacts_of_an_earlier_version_are_named_and_separated() -> None:
    with memory_folder() as folder:
        journal = Journal(Path(folder) / "state")
        key = accepted(journal, (CARD_A, MAIL), 1, city="Lund")
        store_of(journal).write(
            lambda transaction: transaction.execute(
                "INSERT INTO identifiers (kind, value, contact) VALUES ('externalId', 'B', ?)", (key,)
            )
        )
        assert accepted(journal, (CARD_B,), 2) == key, "not silently rewritten"
        assert journal.contacts.joined() == {key: {"externalId": 2}}
        (new,) = journal.contacts.separate(key, 2e9)
        assert journal.contacts.joined() == {}
        with pytest.raises(UsageError, match="has one card at most"):
            journal.contacts.separate(key, 2e9)
        owners = {entry.number: entry.contact for entry in journal.receipts.find({})}
        assert owners == {"1": key, "2": new}, "receipts that wait go with their card"
        assert journal.contacts.get(key).attributes in ({}, {"city": "Lund"})
        assert json.dumps([str(each) for each in journal.contacts.get(new).identifiers]).count("externalId") == 1
        journal.close()
