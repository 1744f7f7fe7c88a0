"""Looks for receipts in a contact's history, with few requests however long the history is.

The history is [sdk] in the contract: its order and whether it knows `fromDate` and `toDate` are not promised. So the
order of a page is taken from its dates, a long list is searched by halves, and whatever was not reached is named.
"""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from datetime import UTC, date, datetime, timedelta
from typing import Any

import attrs

from tillpost.model import Delivered, Failure, Gone, History, NoHistory, NotSent, ReceiptRef
from tillpost_engage.answers import Answer, code
from tillpost_engage.client import NO_SUCH_ENDPOINT, Client, contact_path

PAGE = 100
"""The most transactions one answer may hold (contract, History)."""
MOST_REQUESTS = 32
"""Requests of one call, at most: enough to search a million transactions, and to read 2,000 in a row."""
IN_A_ROW = 4
"""Pages that are simply read; a longer list is searched by halves."""
_GAP = timedelta(days=3)
"""Receipts further apart than this are looked for in two parts of the history."""
_NEAR, _NEAR_LOCAL = timedelta(minutes=2), timedelta(hours=15)
"""How far the time shown may be from the time sent: with an offset, and without one."""

_Unusable = Gone | NoHistory | Failure


class _Stopped(Exception):
    """The search ends without an answer. answer: None when the requests are used up."""

    def __init__(self, answer: _Unusable | None) -> None:
        super().__init__()
        self.answer = answer


@attrs.frozen
class _Page:
    """One page. times: seconds, of wall times when `local`; None where no time is shown. total: of the whole list."""

    ids: frozenset[str]
    times: tuple[float | None, ...]
    local: bool
    size: int
    total: int | None

    def order(self) -> int:
        """1 when the oldest is first, -1 when the newest is, 0 when its times do not tell."""
        times = [at for at in self.times if at is not None]
        if len(times) < len(self.times) or len(set(times)) < 2:
            return 0
        return 1 if times == sorted(times) else -1 if times == sorted(times, reverse=True) else 0


def read_history(client: Client, contact_id: str, receipts: Sequence[ReceiptRef]) -> History | _Unusable:
    """Which of the receipts the history shows."""
    shown: set[str] = set()
    unread: set[str] = set()
    requests = _Requests(client, contact_id)
    for part in _parts(receipts):
        search = _Search(requests, part)
        try:
            search.run()
        except _Stopped as stopped:
            if stopped.answer is not None:
                return stopped.answer
            unread |= search.missing()
        shown |= search.found
    return History(shown=frozenset(shown), unread=frozenset(unread))


@attrs.define
class _Requests:
    """The requests of one call, counted. takes_dates: whether the tenant takes fromDate and toDate."""

    client: Client
    contact_id: str
    left: int = MOST_REQUESTS
    takes_dates: bool = True

    def page(self, offset: int, days: tuple[date, date] | None) -> _Page:
        """One page, of the part between two days. Raises _Stopped."""
        query = {"offset": str(offset), "count": str(PAGE)}
        if days is not None and self.takes_dates:
            query |= {"fromDate": f"{days[0]}T00:00:00", "toDate": f"{days[1]}T00:00:00"}
        if not self.left:
            raise _Stopped(None)
        self.left -= 1
        answer = self.client.send("GET", f"{contact_path(self.contact_id)}/transactions", query=query)
        if isinstance(answer, Answer) and answer.status == 400 and "fromDate" in query:
            self.takes_dates = False
            return self.page(offset, None)
        if isinstance(answer, Answer) and answer.status in NO_SUCH_ENDPOINT and code(answer) != "ContactNotFound":
            probed = self.client.probe()
            reason = f"answered {answer.status} for the history of a contact"
            raise _Stopped(NoHistory(reason=reason, status=answer.status) if isinstance(probed, Delivered) else probed)
        judged = self.client.about_contact(answer, "GET")
        if not isinstance(judged, Answer):
            raise _Stopped(judged)
        return _page(judged)


def _page(answer: Answer) -> _Page:
    value = answer.value
    items = value.get("items") if isinstance(value, dict) else value
    if not isinstance(items, list):
        raise _Stopped(NotSent(reason="answered a history without a list of items", status=answer.status))
    listed = [item for item in items if isinstance(item, dict)]
    moments = [_moment(item.get("createdDate")) for item in listed]
    total = value.get("totalCount") if isinstance(value, dict) else None
    return _Page(
        ids=frozenset(name for item in listed if isinstance(name := item.get("externalId"), str)),
        times=tuple(None if at is None else _seconds(at) for at in moments),
        local=any(at is not None and at.tzinfo is None for at in moments),
        size=len(items),
        total=total if isinstance(total, int) and not isinstance(total, bool) else None,
    )


def _moment(text: Any) -> datetime | None:
    try:
        return datetime.fromisoformat(text)
    except (ValueError, TypeError):
        return None


def _seconds(at: datetime, local: bool = False) -> float:
    """Seconds since 1970, of the wall time for one without an offset."""
    return (at.replace(tzinfo=UTC) if local or at.tzinfo is None else at).timestamp()


def _parts(receipts: Sequence[ReceiptRef]) -> Iterator[list[ReceiptRef]]:
    """The receipts by time of sale, those that are near each other together."""
    part: list[ReceiptRef] = []
    for receipt in sorted(receipts, key=lambda receipt: receipt.created):
        if part and receipt.created - part[-1].created > _GAP:
            yield part
            part = []
        part.append(receipt)
    if part:
        yield part


class _Search:
    """Looks for receipts that are near each other in time."""

    def __init__(self, requests: _Requests, wanted: Sequence[ReceiptRef]) -> None:
        self._requests = requests
        self._wanted = wanted
        # A day more on each side, and one for a date that is taken for its midnight: days differ between time zones.
        self._days = wanted[0].created.date() - timedelta(days=1), wanted[-1].created.date() + timedelta(days=2)
        self._pages: dict[int, _Page] = {}
        self._size = PAGE
        """Of a page; a tenant may give fewer than were asked for."""
        self.found: set[str] = set()

    def missing(self) -> set[str]:
        """The ids that no page has shown."""
        return {receipt.id for receipt in self._wanted} - self.found

    def run(self) -> None:
        """Read until each receipt was seen, or cannot stand in what was not read. Raises _Stopped."""
        first = self._read(0)
        if first.total is not None and 0 < first.size < min(PAGE, first.total):
            self._size = first.size
        if not first.size and self._requests.takes_dates:
            # Whether the dates are those of the sale is not published: a short history is read as a whole.
            self._see(self._requests.page(0, None))
            return
        order = first.order()
        if not order or (first.total is not None and first.total <= IN_A_ROW * self._size):
            self._read_on(0, order, float("inf"))
            return
        for start, end in self._spans(order, first.local):
            if self.missing():
                self._read_on(self._first_page(order, start), order, end)

    def _spans(self, order: int, local: bool) -> list[tuple[float, float]]:
        """Where the receipts stand: spans of the times shown, in the order of the pages."""
        near = (_NEAR_LOCAL if local else _NEAR).total_seconds()
        spans: list[tuple[float, float]] = []
        for at in sorted(order * _seconds(receipt.created, local) for receipt in self._wanted):
            if spans and at - near <= spans[-1][1]:
                spans[-1] = spans[-1][0], at + near
            else:
                spans.append((at - near, at + near))
        return spans

    def _read(self, number: int) -> _Page:
        if number not in self._pages:
            self._pages[number] = self._requests.page(number * self._size, self._days)
            self._see(self._pages[number])
        return self._pages[number]

    def _see(self, page: _Page) -> None:
        self.found |= page.ids & {receipt.id for receipt in self._wanted}

    def _is_last(self, number: int) -> bool:
        page = self._pages[number]
        if page.total is not None:
            return number * self._size + page.size >= page.total or not page.size
        return page.size < self._size

    def _read_on(self, number: int, order: int, end: float) -> None:
        """Read page after page, until all is found, the list ends, or a page ends behind `end`."""
        while True:
            last = self._read(number).times[-1:]
            if not self.missing() or self._is_last(number) or (order and last[0] is not None and order * last[0] > end):
                return
            number += 1

    def _first_page(self, order: int, start: float) -> int:
        """The first page that does not end before `start`, or the last page there is."""

        def ends_before(number: int) -> bool:
            last = self._read(number).times[-1:]
            return bool(last) and last[0] is not None and order * last[0] < start

        low, high, step = 0, 0, 1
        while ends_before(high) and not self._is_last(high):  # how many pages there are may not be told
            low, high, step = high + 1, high + step, step * 2
            if (total := self._read(0).total) is not None:
                high = max(low, min(high, (total - 1) // self._size))
        while low < high:
            middle = (low + high) // 2
            low, high = (middle + 1, high) if ends_before(middle) else (low, middle)
        return high
