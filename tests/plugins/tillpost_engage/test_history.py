"""A contact's history: read around the time of sale, with a few requests however long it is and in whatever order."""

from __future__ import annotations

from collections.abc import Callable
from datetime import datetime, timedelta
from functools import cache
from typing import Any

import pytest

from tillpost.model import (
    Contact,
    Delivered,
    Failure,
    Gone,
    History,
    Identifier,
    MaybeSent,
    NoHistory,
    NotSent,
    Outcome,
    ReceiptRef,
)
from tillpost_engage.answers import Answer
from tillpost_engage.client import Client
from tillpost_engage.history import MOST_REQUESTS, read_history

START = datetime.fromisoformat("2020-01-01T09:00:00+01:00")
GUID = "6e7a21e8-8f0c-4d3c-9d51-0d6a6f1f9a11"


def moment(number: int, step: timedelta) -> datetime:
    return START + number * step


@cache
def items_of(count: int, step: timedelta, newest_first: bool) -> list[tuple[str, datetime, str]]:
    made = [(f"r-{number}", at := moment(number, step), at.isoformat()[:10]) for number in range(count)]
    return made[::-1] if newest_first else made


class LongHistory(Client):
    """A client whose tenant has one contact with many receipts, `r-0` the oldest; counts requests."""

    def __init__(
        self, count: int, *, newest_first: bool = True, dates: str = "taken", total: bool = True,
        step: timedelta = timedelta(minutes=26), shown: Callable[[datetime], str] = datetime.isoformat, most: int = 100,
    ) -> None:  # fmt: skip
        self.requests = 0
        self.step, self.dates, self.total, self.most = step, dates, total, most
        self.items = items_of(count, step, newest_first)
        self.shown = shown

    def send(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Answer | NotSent | MaybeSent:
        self.requests += 1
        listed = self.items
        if "fromDate" in query and self.dates == "refused":
            return Answer(status=400, kind="json", value={"errorCode": "InvalidSearchQuery"})
        if "fromDate" in query and self.dates == "taken":
            since, until = query["fromDate"][:10], query["toDate"][:10]
            listed = [item for item in listed if since <= item[2] <= until]
        offset = int(query["offset"])
        page = listed[offset : offset + min(self.most, int(query["count"]))]
        value: dict[str, Any] = {"items": [{"externalId": name, "createdDate": self.shown(at)} for name, at, _ in page]}
        return Answer(status=200, kind="json", value=value | ({"totalCount": len(listed)} if self.total else {}))

    def ref(self, number: int) -> ReceiptRef:
        return ReceiptRef(id=f"r-{number}", created=moment(number, self.step))


ABSENT = ReceiptRef(id="absent", created=moment(77_000, timedelta(minutes=26)) + timedelta(seconds=5))


@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("total", [True, False])
def test_b31_a_house_contact_with_100_000_receipts_costs_a_few_requests(newest_first: bool, total: bool) -> None:
    engage = LongHistory(100_000, newest_first=newest_first, total=total)
    found = read_history(engage, GUID, [engage.ref(77_000), engage.ref(77_001), ABSENT])
    assert found == History(shown=frozenset({"r-77000", "r-77001"})), "and what is absent is known to be"
    assert engage.requests <= 4


@pytest.mark.parametrize("dates", ["ignored", "refused"])
@pytest.mark.parametrize("newest_first", [True, False])
@pytest.mark.parametrize("total", [True, False])
@pytest.mark.parametrize("shown", [datetime.isoformat, lambda at: at.replace(tzinfo=None).isoformat()])
def test_b31_where_dates_are_not_taken_a_long_history_is_searched_by_halves(
    dates: str, newest_first: bool, total: bool, shown: Callable[[datetime], str]
) -> None:
    engage = LongHistory(100_000, newest_first=newest_first, dates=dates, total=total, shown=shown)
    for number in (0, 1, 12_345, 99_999):
        engage.requests = 0
        found = read_history(engage, GUID, [engage.ref(number)])
        assert found == History(shown=frozenset({f"r-{number}"})), number
        assert engage.requests <= MOST_REQUESTS
    assert read_history(engage, GUID, [ABSENT]) == History(shown=frozenset())


def test_k12_all_of_one_day_of_a_house_contact(  # 20,000 receipts a day, half a minute of them asked for
) -> None:
    engage = LongHistory(100_000, step=timedelta(seconds=4))
    wanted = [engage.ref(number) for number in range(50_000, 50_060)]
    found = read_history(engage, GUID, [*wanted, ReceiptRef(id="no", created=wanted[30].created)])
    assert found == History(shown=frozenset(ref.id for ref in wanted))
    assert engage.requests <= MOST_REQUESTS


def test_what_was_not_reached_is_named_and_not_called_absent() -> None:
    engage = LongHistory(100_000, dates="ignored", shown=lambda at: "")
    near = ReceiptRef(id="elsewhere", created=engage.ref(99_990).created)
    found = read_history(engage, GUID, [near, engage.ref(99_990)])
    assert found == History(shown=frozenset({"r-99990"}), unread=frozenset({"elsewhere"}))
    assert engage.requests == MOST_REQUESTS


def test_receipts_far_apart_are_looked_for_in_parts_of_the_history() -> None:
    engage = LongHistory(100_000)
    wanted = [engage.ref(number) for number in (5, 40_000, 40_001, 99_000)]
    assert read_history(engage, GUID, wanted) == History(shown=frozenset(ref.id for ref in wanted))
    assert engage.requests <= 9


def test_a_tenant_that_gives_shorter_pages_is_read_to_the_end() -> None:
    engage = LongHistory(170, step=timedelta(minutes=1), most=40)
    wanted = [engage.ref(number) for number in range(170)]
    assert read_history(engage, GUID, wanted) == History(shown=frozenset(ref.id for ref in wanted))


def test_a_history_whose_dates_are_others_than_those_of_the_sale_is_read_as_a_whole_when_short() -> None:
    engage = LongHistory(50)
    moved = ReceiptRef(id="r-7", created=START + timedelta(days=900))
    assert read_history(engage, GUID, [moved]) == History(shown=frozenset({"r-7"}))
    assert engage.requests == 2


class Answering(Client):
    """A client whose history answers so, and whose probe answers that."""

    def __init__(self, answer: Answer | NotSent | MaybeSent, probed: Outcome | None = None) -> None:
        self.answer, self.probed = answer, probed or Delivered(status=404)

    def send(self, method: str, path: str, *, query: Any = None, body: Any = None) -> Answer | NotSent | MaybeSent:
        return self.answer

    def probe(self) -> Outcome:
        return self.probed


@pytest.mark.parametrize("status", [403, 404, 405])
def test_a_tenant_without_histories_says_so_when_it_takes_our_key(status: int) -> None:
    missing = Answer(status=status, kind="json", value={"errorCode": "NotFound"})
    found = read_history(Answering(missing), GUID, [ABSENT])
    assert found == NoHistory(reason=f"answered {status} for the history of a contact", status=status)
    away: Failure = NotSent(reason="connection refused")
    assert read_history(Answering(missing, away), GUID, [ABSENT]) == away


def test_other_answers_are_what_they_are_about_any_contact() -> None:
    gone = Answer(status=404, kind="json", value={"errorCode": "ContactNotFound"})
    assert isinstance(read_history(Answering(gone), GUID, [ABSENT]), Gone)
    assert isinstance(read_history(Answering(NotSent(reason="x")), GUID, [ABSENT]), NotSent)
    odd = Answer(status=200, kind="json", value={"items": "none"})
    assert isinstance(read_history(Answering(odd), GUID, [ABSENT]), NotSent)


def test_the_sandbox_finds_by_dates(tenant: Any, receipt_of: Callable[..., Any], line_of: Callable[..., Any]) -> None:
    known = tenant.engage.contacts.resolve_contact(Contact(key="k", identifiers=(Identifier("email", "a@b.se"),)))
    contact = Contact(key="k", contact_id=known.contact_id)
    receipt = receipt_of(line_of(), id="r-1")
    tenant.engage.transport.deliver(
        tenant.engage.mapping.map_receipt(receipt, Identifier("contactId", contact.contact_id))
    )
    tenant.control("POST", "import", {})
    before = tenant.engage.budget.taken
    ref = ReceiptRef(id="r-1", created=receipt.created)
    assert tenant.engage.transport.confirm_receipts(contact, [ref]) == History(shown=frozenset({"r-1"}))
    assert tenant.engage.budget.taken - before == 1
