"""A changed configuration takes over while receipts flow, with the real launcher and a sink that counts: none lost,
none sent twice; what is refused changes nothing."""

from __future__ import annotations

import http.client
import json
import re
import signal
import threading
import time
import urllib.request
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

import pytest

from tests.benchmarks import receipts
from tests.benchmarks.running_sink import RunningSink
from tests.support.ingest import free_port
from tests.support.sink_shop import SinkShop, stop
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def sink() -> Iterator[RunningSink]:
    with RunningSink() as sink:
        yield sink


@pytest.fixture
def shop(tmp_path: Path, sink: RunningSink) -> Iterator[SinkShop]:
    shop = SinkShop(tmp_path, sink)
    try:
        yield shop
    finally:
        shop.end()


@pytest.mark.timeout(500)
def test_reloads_under_load_lose_nothing_and_send_nothing_twice(
    shop: SinkShop, sink: RunningSink, measured: Callable[[str], None]
) -> None:
    """1,000 receipts a second arrive; settings change, the file breaks and is repaired, again and again."""
    count, each, seconds = 12_000, 250, 12.0
    process = shop.start()
    fed = threading.Event()

    def feed() -> None:
        began = time.monotonic()
        for number in range(count // each):
            time.sleep(max(0.0, began + number * each * seconds / count - time.monotonic()))
            shop.put(f"{number:04}.jsonl", number * each, each)
        fed.set()

    feeder = threading.Thread(target=feed)
    feeder.start()
    done = {"rebuilt": 0, "refused": 0, "left_running": 0}
    round_ = 0
    while not fed.is_set() or min(done.values()) < 2:
        round_ += 1
        match round_ % 4:
            case 0:
                shop.file.write_text("[tillpost\n")
            case 1:
                shop.configure(shop.pipeline(workers=4 + round_ % 8))
            case 2:
                shop.configure(shop.pipeline().replace('use = "receipts"', 'use = "gone"'))
            case 3:
                shop.configure(shop.pipeline(workers=12))
        code, told = shop.reload()
        assert code == (78 if told["refused"] else 0), told
        assert not told["late"]
        for key in done:
            done[key] += bool(told[key])
    shop.configure(shop.pipeline(workers=6))
    assert shop.reload()[1]["rebuilt"] == ["shop"]
    feeder.join()
    until(lambda: shop.delivered() == count, 300)
    taken = shop.ask("SELECT max(accepted_at) - min(accepted_at) FROM receipts")
    stop(process)
    times = sink.ids()
    assert set(times) == {receipts.receipt_id(number) for number in range(count)}
    assert set(times.values()) == {1}
    assert shop.states() == {"delivered": count} | {state: 0 for state in (shop.states() or {}) if state != "delivered"}
    assert "Traceback" not in shop.log.read_text()
    assert min(done.values()) >= 2
    measured(f"reload under load: {count} receipts accepted in {taken:.1f} s, {round_ + 1} reloads, {done}")


def test_a_call_in_flight_is_not_repeated_and_the_next_receipts_do_not_wait_for_it(
    shop: SinkShop, sink: RunningSink
) -> None:
    process = shop.start()
    shop.put("0.jsonl", 0, 4)
    until(lambda: shop.delivered() == 4)
    sink.set(delay=20.0)
    shop.put("1.jsonl", 4, 4)
    until(lambda: shop.ask("SELECT count(*) FROM receipts WHERE sending IS NOT NULL AND state = 'resolved'"))
    shop.configure(shop.pipeline(workers=5))
    began = time.monotonic()
    code, told = shop.reload()
    assert (code, told["rebuilt"], told["late"]) == (0, ["shop"], [])
    in_flight = shop.delivered() == 4
    assert in_flight or time.monotonic() - began > 15, "the answers were not there yet when the new one began"
    sink.set(delay=0.0)
    shop.put("2.jsonl", 8, 4)
    until(lambda: shop.delivered() == 12)
    stop(process)
    assert set(sink.ids().values()) == {1}
    assert sink.counts()["posts"] == 12
    assert shop.ask("SELECT count(*) FROM events WHERE what = 'sending'") == 12
    assert shop.ask("SELECT count(*) FROM events WHERE what = 'uncertain'") == 0, "the new one leaves it to the old one"


def test_a_source_that_listens_loses_nothing_it_has_answered(shop: SinkShop, sink: RunningSink) -> None:
    """Senders go on until they have their 202, under the key they began with; the port changes hands meanwhile."""
    port, count, senders, key = free_port(), 400, 4, "key-of-store-12-for-tests"
    folder = 'use = "folder", path = "shop-inbox", settle = "0s", poll = "100ms"'
    listening = f'use = "ingest", listen = "127.0.0.1:{port}", keys = {{ till = "{key}" }}, room = 0'

    def configure(workers: int) -> None:
        shop.configure(shop.pipeline(workers=workers).replace(folder, listening))

    configure(4)
    process = shop.start()
    documents = list(receipts.lines(count))
    refused: list[int] = []

    def send(first: int) -> None:
        for number in range(first, count, senders):
            headers = {"X-Api-Key": key, "Content-Type": "application/json", "Idempotency-Key": f"k{number}"}
            while True:
                connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
                try:
                    connection.request("POST", "/v1/shop/receipts", documents[number], headers)
                    status = connection.getresponse().status
                except (OSError, http.client.HTTPException):
                    refused.append(number)
                    time.sleep(0.02)
                    continue
                finally:
                    connection.close()
                assert status in (202, 409)
                if status == 202:
                    break
            time.sleep(0.02)

    with ThreadPoolExecutor(senders) as pool:
        sending = [pool.submit(send, first) for first in range(senders)]
        rounds = 0
        while not all(each.done() for each in sending) or rounds < 3:
            rounds += 1
            configure(4 + rounds)
            assert shop.reload()[1]["rebuilt"] == ["shop"]
        for each in sending:
            each.result(120)
    until(lambda: shop.delivered() == count)
    stop(process)
    assert set(sink.ids().values()) == {1}
    assert len(sink.ids()) == count
    assert shop.ask("SELECT count(*) FROM receipts") == count


def test_pipelines_start_and_stop_and_the_others_do_not_notice(shop: SinkShop, sink: RunningSink) -> None:
    process = shop.start()
    shop.configure(shop.pipeline(), shop.pipeline("web"))
    code, told = shop.reload()
    assert (code, told["started"], told["left_running"]) == (0, ["web"], ["shop"])
    shop.put("1.jsonl", 0, 3)
    shop.put("2.jsonl", 3, 3, "web")
    until(lambda: shop.delivered() == 3 and shop.delivered("web") == 3)
    shop.configure(shop.pipeline("web"))
    code, told = shop.reload()
    assert (code, told["stopped"], told["left_running"]) == (0, ["shop"], ["web"])
    shop.put("3.jsonl", 6, 3)
    shop.put("4.jsonl", 9, 3, "web")
    until(lambda: shop.delivered("web") == 6)
    shop.configure(shop.pipeline(), shop.pipeline("web"))
    code, told = shop.reload()
    assert (code, told["started"], told["left_running"]) == (0, ["shop"], ["web"])
    until(lambda: shop.delivered() == 6)
    stop(process)
    assert sink.counts()["posts"] == 12


def test_the_status_page_follows_a_reload_and_is_not_restarted(shop: SinkShop) -> None:
    port = free_port()
    process = shop.start("--status", f"127.0.0.1:{port}")

    def pipelines() -> set[str]:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=60) as answer:
            return set(re.findall(r'pipeline="(\w+)"', answer.read().decode()))

    until(lambda: '"event": "status page"' in shop.log.read_text())
    assert pipelines() == {"shop"}
    shop.configure(shop.pipeline(), shop.pipeline("web"))
    assert shop.reload()[0] == 0
    assert pipelines() == {"shop", "web"}
    shop.configure(shop.pipeline("web"))
    assert shop.reload()[0] == 0
    assert pipelines() == {"web"}
    stop(process)
    assert shop.log.read_text().count('"event": "status page"') == 1


def test_what_is_refused_is_told_with_its_place_and_the_old_one_goes_on(shop: SinkShop) -> None:
    process = shop.start()
    sound = shop.file.read_text()
    for broken, key in (
        (sound.replace('use = "receipts"', 'use = "gone"'), "pipelines.shop.adapter.use"),
        (sound.replace("workers   = 4", "workers = 400"), "pipelines.shop.workers"),
        (sound.replace('{ env = "ENGAGE_API_KEY" }', '{ env = "NO_SUCH_KEY" }'), "pipelines.shop.transport.api_key"),
        (sound.replace('state = "state"', 'state = "other"'), "tillpost.state"),
        ("[tillpost", ""),
    ):
        shop.file.write_text(broken)
        if key == "tillpost.state":  # the command would look for the process in the other folder
            (shop.folder / "other").symlink_to(shop.folder / "state")
        code, told = shop.reload()
        assert code == 78, told
        assert {each["key"] for each in told["refused"]} == {key}
        assert all(each["file"] and each["message"] and each["line"] for each in told["refused"]), told
        assert told["rebuilt"] == told["stopped"] == told["late"] == []
    shop.put("1.jsonl", 0, 3)
    until(lambda: shop.delivered() == 3)
    stop(process)


def test_sighup_reloads_and_the_answer_is_in_the_output(shop: SinkShop) -> None:
    process = shop.start()
    shop.configure(shop.pipeline(workers=7))
    process.send_signal(signal.SIGHUP)

    def told() -> list[dict[str, Any]]:
        rows = [json.loads(line) for line in shop.log.read_text().splitlines() if line.startswith("{")]
        return [row for row in rows if row["event"] == "reloaded"]

    until(told)
    assert told()[0]["rebuilt"] == ["shop"]
    stop(process)


def test_when_nobody_runs_it_says_so(shop: SinkShop) -> None:
    code, told = shop.reload()
    assert code == 1
    assert "no `tillpost run` is running on" in told["said"]


def test_a_process_that_does_not_answer_is_named(shop: SinkShop) -> None:
    process = shop.start()
    process.send_signal(signal.SIGSTOP)
    try:
        code, told = shop.reload("--timeout", "500ms")
    finally:
        process.send_signal(signal.SIGCONT)
    assert code == 1
    assert f"process {process.pid} has not answered" in told["said"]
    assert not list((shop.folder / "state" / "shop").glob("reload-*.request")), "it is taken back"
    stop(process)
