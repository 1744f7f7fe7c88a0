"""What the source does with pages, places and failures, against real HTTP servers; time is told, not waited for."""

from __future__ import annotations

import gzip
import json
import threading
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import certificate
from tests.support.feed import Asked, Reply, reply, serving_feed
from tests.support.program import free_ports
from tillpost import DocumentError, JournalFull, Secret, Stopped, TillpostError
from tillpost.model import Delivered, Document, Misconfigured, NotSent, Throttled
from tillpost_http_feed.settings import Settings

from .conftest import Shop

BY_TIME: dict[str, Any] = {"since_at": "at", "since_to": "since", "since_as": "%Y-%m-%dT%H:%M:%S"}
BY_TOKEN: dict[str, Any] = {"items": "sales", "paging": "cursor", "next_at": "next", "next_to": "after"}
BY_OFFSET: dict[str, Any] = {"paging": "offset", "next_to": "offset"}


def sale(number: int, minute: int | None = None) -> dict[str, Any]:
    return {"id": number, "at": f"2026-03-14T14:{number if minute is None else minute:02}:00Z"}


def tokens(sales: list[dict[str, Any]], size: int = 2, backwards: bool = False) -> Callable[[Asked], Reply]:
    """A list by token and time, the newest first when it is backwards."""

    def answer(asked: Asked) -> Reply:
        found = [each for each in sales if each["at"] >= asked.query.get("since", "")]
        found.sort(key=lambda each: str(each["at"]), reverse=backwards)
        offset = int(asked.query.get("after", "p0")[1:])
        more = len(found) > offset + size
        return reply({"sales": found[offset : offset + size], "next": f"p{offset + size}" if more else None})

    return answer


def offsets(sales: list[dict[str, Any]], size: int = 3) -> Callable[[Asked], Reply]:
    def answer(asked: Asked) -> Reply:
        offset = int(asked.query["offset"])
        return reply(sales[offset : offset + size])

    return answer


def linked(asked: Asked) -> Reply:
    page = int(asked.query.get("page", "1"))
    link = f'<http://{asked.headers["host"]}/sales?page={page + 1}>; rel="next", </sales?page=9>; rel=last'
    return reply([sale(page)], Link=link) if page < 3 else reply([sale(page)])


# Pages


def test_links_of_the_header_are_followed_to_the_end(shop: Callable[..., Shop]) -> None:
    till = shop(linked, paging="link")
    assert till.run() == 3
    assert till.met() == [1, 2, 3]
    assert till.run() == 0, "asked again from the first page on, and nothing is new"
    assert len(till.feed.asked) == 6


def test_more_pages_than_are_asked_for_are_told(shop: Callable[..., Shop]) -> None:
    outcome = shop(linked).run()
    assert isinstance(outcome, Misconfigured)
    assert 'has more pages (header Link); set source.paging = "link"' in outcome.reason


@pytest.mark.parametrize("elsewhere", ["http://127.0.0.2:9/sales", "https://evil.example/sales", "//evil.example/x"])
def test_a_link_to_another_server_is_not_followed(shop: Callable[..., Shop], elsewhere: str) -> None:
    till = shop(lambda _: reply({"next": elsewhere, "sales": [sale(1)]}), items="sales", paging="link", next_at="next")
    outcome = till.run()
    assert isinstance(outcome, Misconfigured)
    assert "another server than that of source.url; nothing is asked there" in outcome.reason


@pytest.mark.parametrize(
    ("more", "settings", "said"),
    [
        ({"next": "/sales?page=2"}, {}, "has more pages, as it says at next; check source.paging"),
        ({"meta": {"has_more": True}}, {}, "as it says at meta.has_more; check source.paging"),
        ({"nextPageToken": "b"}, BY_TOKEN | BY_TIME, "as it says at nextPageToken; check source.next_at"),
        ({"links": {"next": {"href": "x"}}}, {"paging": "link", "next_at": "links.next"}, "at links.next; check"),
        ({"next": "/sales?page=2"}, {"paging": "link"}, 'check source.next_at ("" is the header Link)'),
        ({"version": {"max": 104}}, BY_TOKEN, "without a token at next; an answer has sales, version; check"),
    ],
)
def test_a_last_page_that_says_another_one_follows_is_told(
    shop: Callable[..., Shop], more: Any, settings: Any, said: str
) -> None:
    """Else the first page would be read for ever, and no sale after it."""
    outcome = shop(lambda _: reply({"sales": [sale(1)], **more}), **{"items": "sales", **settings}).run()
    assert isinstance(outcome, Misconfigured)
    assert said in outcome.reason


@pytest.mark.parametrize(
    "last", [{"next": None}, {"next": ""}, {"has_more": False, "page": 3}, {"links": {"next": {}, "prev": "/x"}}, {}]
)
def test_a_last_page_that_says_so_is_the_end(shop: Callable[..., Shop], last: Any) -> None:
    for settings in ({}, BY_TOKEN | BY_TIME, {"paging": "link", "next_at": "links.next"}):
        assert shop(lambda _: reply({"sales": [sale(1)], **last}), **{"items": "sales", **settings}).run() == 1


def pages(sales: list[dict[str, Any]], size: int, after: Callable[[int], None]) -> Callable[[Asked], Reply]:
    """A list by number of page. after: called with the number of each page that was answered."""

    def answer(asked: Asked) -> Reply:
        number = int(asked.query.get("page", "1"))
        found = [each for each in sales if each["at"][:19] >= asked.query.get("since", "")]
        given: dict[str, Any] = {"sales": found[(number - 1) * size : number * size], "next": None}
        if len(found) > number * size:
            given["next"] = f"/sales?since={asked.query.get('since', '')}&page={number + 1}"
        after(number)
        return reply(given)

    return answer


@pytest.mark.parametrize("removed", [0, 1, 2, 4, 5])
@pytest.mark.parametrize("by", ["link", "cursor"])
@pytest.mark.parametrize("when", [1, 2, 3])
def test_a_sale_that_is_gone_between_two_pages_hides_no_other_one(
    shop: Callable[..., Shop], removed: int, by: str, when: int
) -> None:
    """By number of page the next ones move up, to a page that was read. They are older than `overlap`."""
    sales = [sale(number) for number in range(9)]

    def remove(number: int) -> None:
        if number == when and len(sales) == 9:
            del sales[removed]

    link = pages(sales, 3, remove)

    def token(asked: Asked) -> Reply:
        said = json.loads(link(asked).content)
        return reply(said | {"next": int(asked.query.get("page", "1")) + 1 if said["next"] else None})

    paging = {"paging": "link", "next_at": "next"} if by == "link" else BY_TOKEN | {"next_to": "page"}
    till = shop(link if by == "link" else token, **{"items": "sales", **BY_TIME, **paging, "overlap": timedelta(0)})
    till.run()
    assert {each["id"] for each in sales} <= set(till.met())
    asked = len(till.feed.asked)
    till.run()
    assert len(till.feed.asked) == asked + 1, "a round of one page asks once"


def test_a_page_by_number_is_resumed_at_the_one_before(shop: Callable[..., Shop]) -> None:
    """Between a failure and the next round a sale may be gone, too."""
    sales = [sale(number) for number in range(9)]
    till = shop(pages(sales, 3, lambda _: None), items="sales", paging="link", next_at="next", **BY_TIME)
    first = json.loads(pages(sales, 3, lambda _: None)(Asked("GET", "/sales", {}, {}, b"")).content)
    till.feed.first = [reply(first), Reply(b"", 503)]
    assert isinstance(till.run(), NotSent)
    del sales[0]
    till.start()
    till.run()
    assert {each["id"] for each in sales} <= set(till.met())


def test_pages_without_sales_do_not_end_a_list_by_position(shop: Callable[..., Shop]) -> None:
    """One more of them in each round: a feed may give a new position for ever at its end."""
    given: dict[str, Any] = {
        "": ([sale(1)], "b"),
        "b": ([], "c"),
        "c": ([], "d"),
        "d": ([sale(2)], "e"),
        "e": ([], "e"),
    }

    def answer(asked: Asked) -> Reply:
        found, following = given[asked.query.get("after", "")]
        return reply({"sales": found, "next": following})

    till = shop(answer, **BY_TOKEN)
    for _ in range(4):
        till.run()
    assert till.met() == [1, 2]
    asked = len(till.feed.asked)
    till.run()
    assert len(till.feed.asked) == asked + 1


def test_an_offset_goes_on_until_there_is_nothing_more_and_is_kept(shop: Callable[..., Shop]) -> None:
    sales = [sale(number) for number in range(7)]
    till = shop(offsets(sales), **BY_OFFSET)
    till.run()
    assert sorted(set(till.met())) == list(range(7))
    till.start()
    assert till.run() == 0
    sales += [sale(7), sale(8)]
    till.run()
    assert till.met()[-2:] == [7, 8]
    assert till.feed.asked[-2].query["offset"] == "6", "from the last one that is known"


@pytest.mark.parametrize("size", [1, 2, 3, 4, 50])
@pytest.mark.parametrize("count", [0, 1, 2, 3, 4, 5])
def test_no_size_of_page_leaves_a_sale_behind(shop: Callable[..., Shop], size: int, count: int) -> None:
    sales = [sale(number) for number in range(count)]
    for settings, answer in ((BY_OFFSET, offsets(sales, size)), (BY_TOKEN | BY_TIME, tokens(sales, size))):
        till = shop(answer, **settings)
        till.run()
        assert sorted(set(till.met())) == list(range(count))
        assert till.run() == 0


def test_a_list_that_moves_while_it_is_read_by_offset_is_begun_again(shop: Callable[..., Shop]) -> None:
    """An edited sale moves to the end, so that one slips to a page that was read already."""
    sales = [sale(number) for number in range(7)]
    plain = offsets(sales)

    def answer(asked: Asked) -> Reply:
        said = plain(asked)
        if len(sales) == 7 and asked.query["offset"] == "0":
            sales.append(sales.pop(0) | {"id": 100})
            sales.append(sale(7))
        return said

    till = shop(answer, **BY_OFFSET)
    till.run()
    assert {1, 2, 3, 4, 5, 6, 100, 7} <= set(till.met())


def test_a_list_that_never_stands_still_is_told(shop: Callable[..., Shop]) -> None:
    numbers = iter(range(10_000))
    outcome = shop(lambda _: reply([sale(next(numbers) % 50) | {"id": next(numbers)}] * 3), **BY_OFFSET).run()
    assert isinstance(outcome, NotSent)
    assert "changes while it is read by offset" in outcome.reason


def test_pages_that_lead_in_a_circle_end(shop: Callable[..., Shop]) -> None:
    other = {None: "b", "b": "c", "c": "b"}
    till = shop(
        lambda asked: reply({"sales": [sale(1)], "next": other[asked.query.get("after")]}), **BY_TOKEN | BY_TIME
    )
    outcome = till.run()
    assert isinstance(outcome, NotSent)
    assert "lead in a circle" in outcome.reason


@pytest.mark.parametrize(
    ("answer", "items", "said"),
    [
        ({"orders": [sale(1)]}, "order", "without a list at order, and with a list at orders; check source.items"),
        ({"a": {"b": [sale(1)]}}, "", None),
        ({"result": {"rows": [sale(1)]}}, "result.sales", "with a list at result.rows"),
        ([sale(1)], "sales", "with a list at its top"),
        ("sales", "sales", "something that is not an object"),
    ],
)
def test_sales_that_are_elsewhere_are_no_empty_page(
    shop: Callable[..., Shop], answer: Any, items: str, said: str | None
) -> None:
    outcome = shop(lambda _: reply(answer), items=items).run()
    if said is None:
        assert outcome == 1, "the answer itself is the one sale"
    else:
        assert isinstance(outcome, Misconfigured)
        assert said in outcome.reason


@pytest.mark.parametrize("answer", [{}, {"sales": []}, {"sales": None}, {"count": 0, "links": ["a"]}])
def test_an_empty_page_is_nothing(shop: Callable[..., Shop], answer: Any) -> None:
    till = shop(lambda _: reply(answer), items="sales")
    assert till.run() == 0
    assert till.accept.cursor is None


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ({"error": "down for maintenance"}, "answers 200 with 'error' in place of sales"),
        ({"errors": [{"code": "INTERNAL", "detail": "of Anna"}]}, "answers 200 with 'errors' (INTERNAL)"),
        ({"sales": None, "Fault": {"text": "x"}}, "answers 200 with 'Fault'"),
    ],
)
def test_an_error_under_the_status_of_a_success_is_no_empty_page(
    shop: Callable[..., Shop], answer: Any, said: str
) -> None:
    outcome = shop(lambda _: reply(answer), items="sales").run()
    assert isinstance(outcome, NotSent)
    assert said in outcome.reason
    assert "maintenance" not in outcome.reason
    assert "Anna" not in outcome.reason


@pytest.mark.parametrize("sales", [[], [{"id": 1}]])
def test_an_error_beside_sales_says_that_they_are_not_all(shop: Callable[..., Shop], sales: Any) -> None:
    """As Square's answers have it: such an answer may have no position, and is not the end of the list."""
    till = shop(lambda _: reply({"sales": sales, "errors": [{"code": "GATEWAY_TIMEOUT"}]}), items="sales")
    outcome = till.run()
    assert isinstance(outcome, NotSent)
    assert "answers 200 with 'errors' (GATEWAY_TIMEOUT) beside sales" in outcome.reason
    assert not till.met()


@pytest.mark.parametrize("answer", [{"errors": []}, {"sales": [], "error": ""}, {"error": None}, {"errors": 0}])
def test_no_error_in_an_answer_is_an_empty_page(shop: Callable[..., Shop], answer: Any) -> None:
    assert shop(lambda _: reply(answer), items="sales").run() == 0


def test_a_time_that_no_sale_has_is_told_with_what_it_has(shop: Callable[..., Shop]) -> None:
    outcome = shop(lambda _: reply([sale(1)]), since_at="updated_at", since_to="since").run()
    assert isinstance(outcome, Misconfigured)
    assert "no sale of 127.0.0.1" in outcome.reason
    assert "a sale has id, at; check source.since_at" in outcome.reason


# The place


@pytest.mark.parametrize("backwards", [False, True])
@pytest.mark.parametrize("broken_at", [1, 2, 3])
def test_a_feed_that_fails_in_the_middle_goes_on_there_and_leaves_nothing_behind(
    shop: Callable[..., Shop], backwards: bool, broken_at: int
) -> None:
    sales = [sale(number) for number in range(8)]
    plain, requests = tokens(sales, backwards=backwards), []

    def answer(asked: Asked) -> Reply:
        requests.append(asked)
        return Reply(b"", 503) if len(requests) == broken_at + 1 else plain(asked)

    till = shop(answer, **BY_TOKEN | BY_TIME)
    assert isinstance(till.run(), NotSent)
    assert len(till.accept.bodies) == broken_at, "what was read before it is committed"
    till.start()
    till.run()
    assert sorted(set(till.met())) == list(range(8))
    assert len(till.accept.bodies) <= 4 + 4, "it went on in the middle, and then looked once from the latest change on"


def test_a_sale_edited_on_a_page_that_was_read_is_met_next_time(shop: Callable[..., Shop]) -> None:
    """The newest first: what is edited during the pass goes to a page that is behind, with a later time."""
    sales = [sale(number, number * 5) for number in range(6)]
    plain = tokens(sales, backwards=True)
    now = datetime.now(UTC)

    def answer(asked: Asked) -> Reply:
        said = plain(asked)
        if "after" in asked.query and len(sales) == 6:
            sales[5]["at"] = now.strftime("%Y-%m-%dT%H:%M:%SZ")
            sales[5]["id"] = 500
            sales.insert(0, sale(600) | {"at": (now + timedelta(hours=2)).strftime("%Y-%m-%dT%H:%M:%SZ")})
            sales.insert(0, sale(700) | {"at": "2026-03-14T14:01:00Z"})
        return said

    till = shop(answer, **BY_TOKEN | BY_TIME)
    till.run()
    till.run()
    assert {500, 600} <= set(till.met())


def test_a_position_that_is_forgotten_begins_again_at_the_time(shop: Callable[..., Shop]) -> None:
    sales = [sale(number) for number in range(6)]
    plain = tokens(sales)
    till = shop(plain, **BY_TOKEN | BY_TIME)
    till.feed.first = [plain(Asked("GET", "/sales", {}, {}, b"")), Reply(b"", 502)]
    assert isinstance(till.run(), NotSent)
    till.start()
    till.feed.first = [reply({"errors": [{"code": "CURSOR_EXPIRED"}]}, 400)]
    till.run()
    assert sorted(set(till.met())) == list(range(6))


def test_a_position_that_is_forgotten_and_is_all_there_is_needs_a_person(shop: Callable[..., Shop]) -> None:
    till = shop(tokens([sale(number) for number in range(6)]), **BY_TOKEN)
    till.run()
    till.feed.first = [reply({"errors": [{"code": "CURSOR_EXPIRED"}]}, 410)]
    outcome = till.run()
    assert isinstance(outcome, Misconfigured)
    assert "(CURSOR_EXPIRED)" in outcome.reason
    assert "forgotten the position" in outcome.reason


def test_the_place_of_another_feed_means_nothing(shop: Callable[..., Shop], caplog: pytest.LogCaptureFixture) -> None:
    till = shop(tokens([sale(number) for number in range(3)]), **BY_TOKEN)
    for other in ("12", '{"feed":"0","next":"p2"}', "[]", "not json"):
        till.accept.cursor = other
        till.start()
        till.run()
        assert till.met()[-3:] == [0, 1, 2]
    assert "of another feed" in caplog.text


def test_what_has_not_changed_is_not_handed_over_again(shop: Callable[..., Shop]) -> None:
    sales = [sale(number) for number in range(5)]
    till = shop(tokens(sales), **BY_TOKEN | BY_TIME)
    till.run()
    for _ in range(3):
        assert till.run() == 0
    sales.append(sale(5))
    assert till.run() == 1, "only the page that has changed"


def test_a_start_is_asked_for_once_and_then_the_latest_change(shop: Callable[..., Shop]) -> None:
    sales = [sale(1), sale(30)]
    till = shop(tokens(sales), **BY_TOKEN | BY_TIME | {"start": "2026-03-14T16:10:00+02:00", "overlap": timedelta(0)})
    till.run()
    till.run()
    assert [each.query["since"] for each in till.feed.asked] == ["2026-03-14T14:10:00", "2026-03-14T14:30:00"]
    assert till.met() == [30]


def test_times_are_read_as_feeds_write_them(shop: Callable[..., Shop]) -> None:
    for written in ("2026-03-14T14:30:00Z", "2026-03-14T15:30:00.000+0100", 1773498600, 1773498600000):
        given = {"since_as": "seconds", "overlap": timedelta(0)}
        till = shop(lambda _, at=written: reply([{"id": 1, "at": at}]), **BY_TIME | given)
        till.run()
        till.run()
        assert till.feed.asked[-1].query["since"] == "1773498600", written


# What the flow answers


def test_a_bad_page_is_set_aside_and_the_next_one_read(shop: Callable[..., Shop]) -> None:
    till = shop(tokens([sale(number) for number in range(6)]), **BY_TOKEN)

    def judge(document: Document) -> None:
        if b'"id": 2' in (document.content or b""):
            raise DocumentError("is no receipt", document.name)

    till.accept.then = judge
    till.run()
    assert till.met() == [0, 1, 2, 3, 4, 5]
    till.accept.then = lambda _: None
    till.start()
    till.run()
    assert till.met()[6:] == [4, 5], "the place went on with it"


@pytest.mark.parametrize("error", [JournalFull("no room"), Stopped("now")])
def test_what_is_not_committed_is_asked_for_again(shop: Callable[..., Shop], error: TillpostError) -> None:
    till = shop(tokens([sale(number) for number in range(6)]), **BY_TOKEN | BY_TIME)

    def full(document: Document) -> None:
        if len(till.accept.bodies) == 2:
            raise error

    till.accept.then = full
    with pytest.raises(type(error)):
        till.run()
    till.start()
    till.run()
    assert till.met() == [0, 1, 2, 3, 2, 3, 4, 5, *till.met()[8:]]


def test_a_page_the_flow_has_trouble_with_is_reported_and_nothing_goes_past_it(shop: Callable[..., Shop]) -> None:
    till = shop(tokens([sale(number) for number in range(6)]), **BY_TOKEN)

    def fails(document: Document) -> None:
        if b'"id": 2' in (document.content or b""):
            raise OSError(5, "Input/output error")

    till.accept.then = fails
    till.run()
    assert till.met() == [0, 1, 2, 3]
    (trouble,) = till.reports
    assert trouble.name == till.accept.names[-1]
    assert trouble.retry_at is not None
    till.run(0.0)
    assert len(till.accept.bodies) == 2, "it rests"
    assert till.reports, "and is still reported"
    till.accept.then = lambda _: None
    till.run()
    assert till.met() == [0, 1, 2, 3, 2, 3, 4, 5]
    assert till.reports == []


def test_b3_it_stops_between_two_pages_and_goes_on_there(shop: Callable[..., Shop]) -> None:
    till = shop(tokens([sale(number) for number in range(8)]), **BY_TOKEN)
    till.accept.then = lambda _: till.stopping.set()
    with pytest.raises(Stopped):
        till.run()
    till.stopping.clear()
    till.accept.then = lambda _: None
    till.start()
    till.run()
    assert sorted(set(till.met())) == list(range(8))
    assert len(till.met()) == 8


def test_it_stops_among_pages_that_are_not_handed_over(shop: Callable[..., Shop]) -> None:
    sales = [sale(number) for number in range(8)]
    till = shop(tokens(sales), **BY_TOKEN | BY_TIME | {"overlap": timedelta(hours=1)})
    till.run()
    till.stopping.set()
    asked = len(till.feed.asked)
    with pytest.raises(Stopped):
        till.run()
    assert len(till.feed.asked) == asked


# Failures


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (Reply(b"", 500), NotSent, "answers 500"),
        (Reply(b"", 503, {"Retry-After": "120"}), NotSent, "answers 503"),
        (reply({"error": "slow_down"}, 429, Retry_After="7"), Throttled, "(slow_down): too many requests"),
        (reply({"code": "Jo@example.com"}, 401), Misconfigured, "answers 401: it does not let us in"),
        (Reply(b"", 403), Misconfigured, "answers 403"),
        (Reply(b"", 404), Misconfigured, "there is no such list; check source.url"),
        (Reply(b"", 301, {"Location": "https://elsewhere.example/x?token=t"}), Misconfigured, "it is elsewhere"),
        (reply({"errors": [{"code": "BAD_LIMIT"}]}, 400), Misconfigured, "(BAD_LIMIT): it does not take the question"),
        (Reply(b"<html>maintenance"), NotSent, "with a web page that is not JSON"),
        (Reply(b"[1,", 200), NotSent, "with something that is not JSON"),
        (Reply(b"[" * 100_000), NotSent, "not JSON"),
        (Reply(b"[]", 200, {"Content-Length": "50", "Connection": "close"}), NotSent, "closed the connection"),
        (Reply(b"[]", 200, {"Content-Encoding": "gzip"}), NotSent, "the connection with 127.0.0.1"),
    ],
)
def test_a_failure_says_what_it_is(shop: Callable[..., Shop], said: Reply, kind: Any, words: str) -> None:
    till = shop(lambda _: said, token=Secret("t0ken-secret"), timeout=timedelta(seconds=2))
    for outcome in (till.run(), till.source.probe_source()):
        assert isinstance(outcome, kind), outcome
        assert words in outcome.reason
        for secret in ("t0ken-secret", "example.com", "token=t"):
            assert secret not in repr(outcome)
    wait = getattr(till.run(), "retry_after", None)
    assert wait == {429: 7.0, 503: 120.0}.get(said.status)


def test_nobody_there_is_told(shop: Callable[..., Shop]) -> None:
    (port,) = free_ports(1)
    till = shop(linked)
    till.settings = Settings(url=f"http://127.0.0.1:{port}/sales")
    till.start()
    assert till.run() == NotSent(reason=f"connection refused by 127.0.0.1:{port}")


def test_an_answer_that_never_ends_is_cut_off(shop: Callable[..., Shop]) -> None:
    ends = threading.Event()
    headers = {"Content-Length": "99999"}
    till = shop(lambda _: Reply(b"[" * 99999, 200, headers, ends), timeout=timedelta(seconds=0.5))
    outcome = till.run()
    ends.set()
    assert isinstance(outcome, NotSent)
    assert "no answer from 127.0.0.1" in outcome.reason
    assert outcome.reason.endswith("within 0.5 s")


def test_it_stops_while_an_answer_drips(shop: Callable[..., Shop]) -> None:
    ends = threading.Event()
    till = shop(lambda _: Reply(b"[" * 99999, 200, {}, ends), timeout=timedelta(minutes=10))
    threading.Timer(0.2, till.stopping.set).start()
    with pytest.raises(Stopped):
        till.run()
    ends.set()


def test_an_answer_that_is_too_large_is_not_held_in_memory(shop: Callable[..., Shop]) -> None:
    packed = gzip.compress(b"[" + b" " * (8 << 20) + b"]")
    till = shop(lambda _: Reply(packed, 200, {"Content-Encoding": "gzip"}), largest=1 << 20)
    outcome = till.run()
    assert isinstance(outcome, Misconfigured)
    assert "more than 1048576 bytes; ask for fewer sales a page, or raise source.largest" in outcome.reason


def test_a_packed_answer_is_read(shop: Callable[..., Shop]) -> None:
    packed = gzip.compress(json.dumps([sale(1)]).encode())
    till = shop(lambda _: Reply(packed, 200, {"Content-Encoding": "gzip"}))
    assert till.run() == 1
    assert till.met() == [1]


def test_a_certificate_nobody_vouches_for_is_not_trusted(tmp_path: Path) -> None:
    with serving_feed(linked, certificate(tmp_path / "tls")) as feed:
        till = Shop(feed, Settings(url=f"{feed.url}/sales", token=Secret("t"), paging="link"))
        till.start()
        outcome = till.run()
        assert isinstance(outcome, NotSent)
        assert "the certificate of 127.0.0.1" in outcome.reason
        assert feed.asked == []


def test_check_asks_once_and_takes_nothing(shop: Callable[..., Shop]) -> None:
    till = shop(tokens([sale(1)]), **BY_TOKEN)
    assert till.source.probe_source() == Delivered()
    assert till.accept.bodies == []
    assert len(till.feed.asked) == 1
