"""Feeds of vendors as their public documentation has them, read to the end, and read on."""

from __future__ import annotations

import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

from tests.support.feed import lightspeed_r, lightspeed_x, square, zettle
from tillpost import Secret

from .conftest import Shop

PLUGINS = Path(__file__).parents[3] / "plugins"


def sample(vendor: str, name: str) -> Any:
    return json.loads((PLUGINS / f"tillpost_{vendor}" / "samples" / name).read_text())


ZETTLE = {
    "path": "/purchases/v2", "query": {"limit": "2"}, "token_url": "{url}/token", "client_id": "our-client",
    "assertion": Secret("a.zettle.key"), "items": "purchases", "paging": "cursor", "next_at": "lastPurchaseHash",
    "next_to": "lastPurchaseHash", "since_at": "timestamp", "since_to": "startDate", "since_as": "%Y-%m-%dT%H:%M",
}  # fmt: skip


def purchase(number: int, hour: int) -> dict[str, Any]:
    first: dict[str, Any] = sample("zettle", "history.json")["purchases"][0]
    time = f"2026-10-25T{hour:02}:30:00.000+0000"
    return first | {"purchaseUUID": f"uuid-{number}", "purchaseNumber": number, "timestamp": time}


def test_zettle_is_read_page_by_page_and_then_only_what_is_new(shop: Callable[..., Shop]) -> None:
    purchases = [purchase(number, number) for number in range(1, 6)]
    till = shop(zettle(purchases), **ZETTLE)
    assert till.run() == 3
    assert till.met("purchaseNumber") == [1, 2, 3, 4, 5]
    assert [each.path for each in till.feed.asked].count("/token") == 1, "one token for all pages"
    assert till.run() == 0, "the page with the latest is asked for again, and has not changed"
    purchases.append(purchase(6, 6))
    till.start()
    asked = len(till.feed.asked)
    till.run()
    assert till.met("purchaseNumber")[-2:] == [5, 6], "from five minutes before the latest on"
    starts = {each.query["startDate"] for each in till.feed.asked[asked:] if each.path == "/purchases/v2"}
    assert starts == {"2026-10-25T05:25"}


def test_square_is_searched_by_its_latest_change(shop: Callable[..., Shop]) -> None:
    orders = [{"id": f"O{n}", "updated_at": f"2026-03-14T{10 + n}:00:00.000Z"} for n in range(5)]
    till = shop(
        square(orders), "/v2/orders/search", method="POST", token=Secret("square-token"),
        headers={"Square-Version": "2026-01-22"}, items="orders", paging="cursor", next_at="cursor", next_to="cursor",
        since_at="updated_at", since_to="query.filter.date_time_filter.updated_at.start_at",
        body='{"location_ids": ["L1"], "limit": 2, "query": {"filter": {}, "sort": {"sort_field": "UPDATED_AT"}}}',
    )  # fmt: skip
    assert till.run() == 3
    assert till.met() == ["O0", "O1", "O2", "O3", "O4"]
    orders[0]["updated_at"] = "2026-03-14T15:00:00.000Z"
    till.start()
    till.run()
    assert till.met()[5:] == ["O4", "O0"], "an order that was edited comes again"
    last = json.loads(till.feed.asked[-1].body)
    assert last["query"]["filter"]["date_time_filter"]["updated_at"]["start_at"] == "2026-03-14T13:55:00Z"
    assert last["location_ids"] == ["L1"]
    assert till.feed.asked[-1].headers["content-type"] == "application/json"


def test_lightspeed_x_goes_on_after_the_last_version(shop: Callable[..., Shop]) -> None:
    sales = [{"id": f"s{n}", "version": 100 + n} for n in range(5)]
    till = shop(
        lightspeed_x(sales), "/api/2.0/sales", token=Secret("personal"), query={"page_size": "2"}, items="data",
        paging="cursor", next_at="version.max", next_to="after",
    )  # fmt: skip
    assert till.run() == 3
    assert till.met() == ["s0", "s1", "s2", "s3", "s4"]
    till.start()
    assert till.run() == 0
    assert till.feed.asked[-1].query["after"] == "104", "an empty page has version 0, which is no place"
    sales[1]["version"] = 200
    assert till.run() == 1
    assert till.met()[5:] == ["s1"]


def test_lightspeed_r_follows_its_links(shop: Callable[..., Shop]) -> None:
    sales = [{"saleID": str(n), "timeStamp": f"2026-03-14T14:{n:02}:00+00:00"} for n in range(5)]
    till = shop(
        lightspeed_r(sales), "/API/V3/Account/1/Sale.json", token=Secret("t"), items="Sale", paging="link",
        next_at="@attributes.next", since_at="timeStamp", since_to="timeStamp", since_as=">,%Y-%m-%dT%H:%M:%S+00:00",
        start="2026-03-01",
    )  # fmt: skip
    assert till.run() == 3
    assert till.met("saleID") == ["0", "1", "2", "3", "4"], "the last page has an object instead of a list"
    assert till.feed.asked[0].query["timeStamp"] == ">,2026-02-28T23:55:00+00:00"
    till.start()
    till.run()
    assert till.feed.asked[-1].query["timeStamp"] == ">,2026-03-14T13:59:00+00:00"
