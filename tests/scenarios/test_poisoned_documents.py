"""B11: a document that fails or brings the process down, through each door, with the real launcher."""

from __future__ import annotations

import http.client
import socket
import time
from pathlib import Path

import pytest

from tests.support.ingest import free_port
from tests.support.installed import installed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved
from tests.support.waiting import until

_PLUGIN = """
import os, signal, sys, time

import attrs

import tillpost_receipts
from tillpost import Use, hookimpl, simple

ENDS = {
    "exits": lambda: os._exit(0),
    "killed": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "leaves": lambda: sys.exit("anna@example.com"),
    "raises": lambda: {}["anna@example.com"],
}

@attrs.frozen
class Settings:
    end: str

class Adapter:
    def __init__(self, end, context):
        self.end = ENDS[end]
        plugin = tillpost_receipts.plugin
        settings = plugin.slots["adapter"]()
        self.inner = plugin.build([Use("adapter", settings)], context)[0]

    @hookimpl
    def parse_receipts(self, document):
        for number, record in enumerate(self.inner.parse_receipts(document=document)):
            if number == 3 and record.receipt.number == "4":
                self.end()
            yield record

def make(settings, context):
    return Adapter(settings.end, context)

plugin = simple("brings the process down", "adapter", Settings, make)
"""


BAD = document([receipt_of(number, externalId=f"c{number}") for number in range(1, 7)])
"""Six receipts, of which the fourth brings the process down."""
GOOD = document([receipt_of(number, externalId=f"c{number}") for number in (100, 101)])
FOLDER = 'use = "folder", path = "inbox", settle = "0s", poll = "100ms"'
KEY = "key-of-store-12-for-tests"


def _shop(folder: Path, end: str) -> Shop:
    shop = Shop(folder, adapter=f'use = "poison", end = "{end}"')
    shop.environment = installed(folder / "site", shop.environment, poison=_PLUGIN)
    return shop


@pytest.mark.parametrize(
    ("end", "died"),
    [
        ("killed", -9),
        ("raises", None),
        *(pytest.param(*each, marks=pytest.mark.slow) for each in (("exits", 0), ("leaves", None))),
    ],
)
def test_m11_b11_in_a_folder_it_is_set_aside_and_the_files_behind_it_are_read(
    tmp_path: Path, end: str, died: int | None
) -> None:
    with _shop(tmp_path, end) as shop:
        shop.put("1-bad.jsonl", BAD)
        shop.put("2-good.jsonl", GOOD)
        codes: list[int] = []
        process, end_at = shop.start(), time.monotonic() + 90
        while (shop.inbox / "1-bad.jsonl").exists() or len(saved(shop)) < 5:
            assert len(codes) < 5, codes
            assert time.monotonic() < end_at
            if process.poll() is not None:
                codes.append(process.wait())
                process = shop.start()
        process.terminate()
        process.wait(30)
        assert codes == ([] if died is None else [died, died]), "a crash loop has an end"
        assert {path.name for path in (shop.inbox / "failed").iterdir()} >= {"1-bad.jsonl"}
        assert (shop.inbox / "failed" / "1-bad.jsonl").read_bytes() == BAD
        assert len(saved(shop)) == 5, "three records stand before the fault, and two in the good file"
        assert b"anna@example.com" not in (shop.folder / "run.log").read_bytes()


@pytest.mark.parametrize("end", ["killed", pytest.param("raises", marks=pytest.mark.slow)])
def test_m11_b11_by_accept_it_is_set_aside_and_the_next_file_is_accepted(tmp_path: Path, end: str) -> None:
    with _shop(tmp_path, end) as shop:
        (tmp_path / "bad.jsonl").write_bytes(BAD)
        (tmp_path / "good.jsonl").write_bytes(GOOD)
        said = [shop.tillpost("accept", str(tmp_path / "bad.jsonl"), str(tmp_path / "good.jsonl")) for _ in range(3)]
        assert [each.returncode for each in said] == ([-9, -9, 1] if end == "killed" else [1, 1, 1])
        assert ("SIGKILL" if end == "killed" else "has failed 3 times") in said[-1].stderr
        assert shop.status()["counts"]["accepted"] == 5


@pytest.mark.parametrize("end", ["killed", pytest.param("raises", marks=pytest.mark.slow)])
def test_m11_b11_over_http_it_is_refused_in_the_end_and_others_are_answered(tmp_path: Path, end: str) -> None:
    with _shop(tmp_path, end) as shop:
        port = free_port()
        configure(shop, FOLDER, f'use = "ingest", listen = "127.0.0.1:{port}", keys = {{ store12 = "{KEY}" }}')
        answers: list[int] = []
        process = shop.start()
        while not answers or answers[-1] != 422:
            assert len(answers) < 6
            until(lambda: _listens(port), 30, process=process)
            answers.append(_post(port, BAD))
            if answers[-1] == 0:
                process.wait(30)
                process = shop.start()
        assert _post(port, GOOD) in (200, 202)
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 5)
        process.terminate()
        process.wait(30)
        assert answers == ([0, 0, 422] if end == "killed" else [500, 500, 422])


def _listens(port: int) -> bool:
    try:
        socket.create_connection(("127.0.0.1", port), 5).close()
    except OSError:
        return False
    return True


def _post(port: int, body: bytes) -> int:
    """The status; 0 without an answer."""
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=60)
    try:
        connection.request("POST", "/v1/shop/receipts", body, {"X-Api-Key": KEY, "Content-Type": "application/json"})
        return connection.getresponse().status
    except (OSError, http.client.HTTPException):
        return 0
    finally:
        connection.close()
