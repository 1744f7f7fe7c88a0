"""Killed, and then put back to a backup older than the kill: what each source lost is told, and comes again once."""

from __future__ import annotations

import base64
import hmac
import json
import signal
import socket
import subprocess
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import ExitStack, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.amqp import source_of
from tests.support.feed import serving_feed, zettle
from tests.support.ingest import free_port
from tests.support.installed import installed
from tests.support.paging_plugin import SOURCE
from tests.support.program import needed
from tests.support.rabbitmq import rabbitmq
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop
from tests.support.sshd import sshd
from tests.support.strace import killed_at
from tests.support.waiting import until

FOLDER = 'use = "folder", path = "inbox", settle = "0s", poll = "100ms"'
KEY = "key-of-store-12-for-tests"
EACH = 4
"""Receipts of a round: the backup is made when the first was sent."""
POINTS = ("sent", "synced", "delivered")
"""When the kill comes: at once, as a commit is synced, when all are delivered. At the last what is missing is brought
back from the journal that was replaced, before that it is sent again."""


@attrs.frozen
class Way:
    """How the receipts come. again: sends a receipt once more, or None where the source reads again by itself."""

    send: Callable[[int], object]
    again: Callable[[int], object] | None
    ready: Callable[[], object] = lambda: True


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop", own="workers = 2") as opened:
        yield opened


def of_folder(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    return Way(lambda number: shop.put(f"{number}.jsonl", body(number)), lambda number: put_back(shop.inbox, number))


def of_file_server(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    server = stack.enter_context(sshd(tmp_path / "sshd"))
    configure(
        shop, FOLDER,
        f'use = "sftp", host = "127.0.0.1", port = {server.port}, user = "{server.user}", key = "{server.key}",'
        f' host_key = "{server.host_key}", path = "{server.home}", settle = "0s", poll = "100ms"',
    )  # fmt: skip

    def put(number: int) -> None:
        (shop.folder / "written").write_bytes(body(number))
        (shop.folder / "written").rename(server.home / f"{number}.jsonl")

    return Way(put, lambda number: put_back(server.home, number))


def of_queue(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    broker = stack.enter_context(rabbitmq(tmp_path / "broker"))
    broker.declare("receipts")
    configure(shop, FOLDER, f'use = "amqp", {source_of(broker, "receipts")}')

    def send(number: int) -> None:
        broker.send("receipts", body(number))

    return Way(send, send)


def of_till(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    return by_http(shop, 'keys = { store12 = { env = "STORE12_KEY" } }', lambda number: {
        "X-Api-Key": KEY, "Idempotency-Key": f"key-{number}"
    })  # fmt: skip


def of_webhook(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    def signed(number: int) -> dict[str, str]:
        return {"X-Shopify-Hmac-Sha256": base64.b64encode(hmac.digest(KEY.encode(), body(number), "sha256")).decode()}

    return by_http(shop, 'shopify = { shop = [ { env = "STORE12_KEY" } ] }', signed)


def by_http(shop: Shop, senders: str, headers: Callable[[int], dict[str, str]]) -> Way:
    port = free_port()
    configure(shop, FOLDER, f'use = "ingest", listen = "127.0.0.1:{port}", {senders}, room = 0')
    shop.environment["STORE12_KEY"] = KEY

    def post(number: int) -> None:
        named = {"Content-Type": "application/json", **headers(number)}
        request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/shop/receipts", body(number), named)
        with urllib.request.urlopen(request, timeout=60) as answer:
            assert answer.status in (200, 202)

    return Way(post, post, lambda: listens(port))


def of_feed(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    sample = Path(__file__).parents[2] / "plugins" / "tillpost_zettle" / "samples" / "history.json"
    first: dict[str, Any] = json.loads(sample.read_text())["purchases"][0]
    purchases: list[dict[str, Any]] = []
    feed = stack.enter_context(serving_feed(zettle(purchases)))
    configure(shop, 'adapter   = { use = "receipts" }', 'adapter   = { use = "zettle", timezone = "Europe/Stockholm" }')
    configure(
        shop, FOLDER,
        f'use = "http-feed", url = "{feed.url}/purchases/v2", query = {{ limit = "2" }},'
        f' token_url = "{feed.url}/token", client_id = "our-client", assertion = "a.zettle.key",'
        ' items = "purchases", paging = "cursor",'
        ' next_at = "lastPurchaseHash", next_to = "lastPurchaseHash", since_at = "timestamp", since_to = "startDate",'
        ' since_as = "%Y-%m-%dT%H:%M", poll = "100ms"',
    )  # fmt: skip

    def sell(number: int) -> None:
        own = {"purchaseUUID": f"uuid-{number}", "purchaseNumber": number}
        purchases.append(first | own | {"timestamp": f"2026-10-25T{number:02}:30:00.000+0000"})

    return Way(sell, None)


def of_pages(shop: Shop, stack: ExitStack, tmp_path: Path) -> Way:
    shop.environment = installed(tmp_path / "vendor", shop.environment, pages=SOURCE)
    configure(shop, FOLDER, 'use = "pages", path = "pages", poll = "100ms"')
    (shop.folder / "pages").mkdir()

    def publish(number: int) -> None:
        (shop.folder / "written").write_bytes(body(number))
        (shop.folder / "written").rename(shop.folder / "pages" / f"{number}.jsonl")

    return Way(publish, None)


WAYS = {
    "folder": of_folder, "sftp": of_file_server, "amqp": of_queue, "ingest": of_till, "webhook": of_webhook,
    "http-feed": of_feed, "a paging plugin": of_pages,
}  # fmt: skip


def put_back(folder: Path, number: int) -> None:
    """What lies in `done` is read once more; what was not taken still lies there."""
    with suppress(FileNotFoundError):
        (folder / "done" / f"{number}.jsonl").rename(folder / f"{number}.jsonl")


def listens(port: int) -> bool:
    with socket.socket() as tried:
        return tried.connect_ex(("127.0.0.1", port)) == 0


def body(number: int) -> bytes:
    return document([receipt_of(number, externalId=f"customer-{number % 3}")])


def sold_and_killed(shop: Shop, way: Way, process: subprocess.Popen[bytes], numbers: range, point: str) -> None:
    """Sell, and kill it then. A sender by HTTP that gets no answer has not sent."""

    def sell() -> None:
        for number in numbers[1:]:
            try:
                way.send(number)
            except OSError:
                process.wait(30)

    if point == "synced":
        with killed_at(process, "fdatasync", 3):
            sell()
    else:
        sell()
        if point == "delivered":
            shop.wait_for(settled(numbers[-1]))
        process.kill()
    assert process.wait(30) == -signal.SIGKILL


@pytest.mark.slow
@pytest.mark.timeout(280)
@pytest.mark.parametrize("source", WAYS)
def test_after_a_kill_and_an_older_backup_each_receipt_is_there_once_and_none_is_missing_in_silence(
    source: str, shop: Shop, tmp_path: Path, measured: Callable[[str], None]
) -> None:
    needed("strace", "strace")
    newer = []
    with ExitStack() as stack:
        way = WAYS[source](shop, stack, tmp_path)
        for turn, point in enumerate(POINTS):
            numbers = range(turn * EACH + 1, turn * EACH + EACH + 1)
            process = shop.start()
            until(way.ready, process=process)
            way.send(numbers[0])
            if turn == 0:
                shop.wait_for(lambda stand: sum(stand["counts"].values()) == 1)  # there is a journal to back up
            backup = tmp_path / f"{point}.db"
            assert shop.tillpost("journal", "backup", str(backup)).returncode == 0
            sold_and_killed(shop, way, process, numbers, point)
            (done,) = shop.answers("journal", "restore", str(backup), "--replace")
            newer.append(done["newer"])
            told = shop.tillpost("journal", "losses")
            if way.again is None or not done["newer"]:
                assert (done["missing"], told.returncode) == ("", 0), told.stdout
            else:
                counted = f"is missing ({done['newer']} receipt{'s' if done['newer'] > 1 else ''}, which "
                assert counted in done["missing"]
                assert done["missing"] in told.stdout
            again = way.again
            if again is not None and point == "delivered":
                brought = shop.tillpost("journal", "recover", done["kept"])
                assert brought.stdout.startswith(f"{done['newer']} receipts brought back from "), brought.stderr
                assert shop.tillpost("journal", "losses").returncode == 0
                again = None
            process = shop.start()
            until(way.ready, process=process)
            for number in numbers:
                if again is not None:
                    again(number)
            shop.wait_for(settled(numbers[-1]))
            stop(process)
            shop.tillpost("journal", "losses", "--settle")
            assert (len(saved(shop)), set(saved(shop).values())) == (numbers[-1], {1}), point
    measured(f"{source}: killed at {len(POINTS)} points; the restored journal lacked {newer} receipts, and has all")
    assert newer[-1] >= EACH - 1
