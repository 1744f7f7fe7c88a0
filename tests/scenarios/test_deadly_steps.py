"""K6, B11: a file, a history or a lookup that ends the process each time, with the real launcher: no crash loop."""

from __future__ import annotations

import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.support.command import read
from tests.support.installed import installed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop
from tillpost.flow.retry_policy import MAX_CRASHES

_PLUGIN = """
import functools, os

import attrs

import tillpost_engage.contacts
import tillpost_engage.transport
import tillpost_sftp.transfer
from tillpost import hookimpl, simple

def poison(owner, hook, is_poisoned):
    real = getattr(owner, hook)

    @hookimpl
    @functools.wraps(real)
    def call(self, *given, **named):
        if is_poisoned(*given, *named.values()):
            os._exit(0)
        return real(self, *given, **named)

    setattr(owner, hook, call)

def is_third(contact, *_):
    return any(known.value == "c3" for known in contact.identifiers)

def has_third(file):
    return file.kind == "receipts" and file.path.exists() and b"_3<" in file.path.read_bytes()

poison({owner}, "{hook}", {is_poisoned})

@attrs.frozen
class Settings:
    pass

class Nothing:
    @hookimpl
    def amend_payload(self, payload, receipt):
        return None

plugin = simple("ends the process", "amend", Settings, lambda settings, context: Nothing())
"""
TRANSFER = ("tillpost_sftp.transfer.SftpTransfer", "has_third")
HOOKS = {
    "transfer": TRANSFER,
    "find_transferred": TRANSFER,
    "reconcile_contact": ("tillpost_engage.contacts.Contacts", "is_third"),
    "confirm_receipts": ("tillpost_engage.transport.Transport", "is_third"),
}


def _shop(folder: Path, hook: str) -> Shop:
    shop = Shop(folder, own='amend = [ { use = "deadly" } ]')
    owner, is_poisoned = HOOKS[hook]
    text = _PLUGIN.format(owner=owner, hook=hook, is_poisoned=is_poisoned)
    shop.environment = installed(folder / "site", shop.environment, deadly=text)
    return shop


def _receipts(first: int) -> bytes:
    return document([receipt_of(number, externalId=f"c{number}") for number in range(first, first + 3)])


def _run_until(shop: Shop, done: Callable[[Shop], bool], seconds: float = 100.0) -> int:
    """As a supervisor does it: started again after each end; how often it ended."""
    ends, end_at = 0, time.monotonic() + seconds
    process = shop.start()
    try:
        while not done(shop):
            assert time.monotonic() < end_at, (ends, shop.status()["counts"])
            assert ends <= MAX_CRASHES + 1, "a crash loop"
            if process.poll() is not None:
                ends += 1
                process = shop.start()
            time.sleep(0.2)
        time.sleep(1.0)
        assert process.poll() is None, "it runs on"
    finally:
        process.kill()
        process.wait()
    return ends


@pytest.mark.parametrize(
    "hook",
    ["transfer", *(pytest.param(each, marks=pytest.mark.slow) for each in ("find_transferred", "reconcile_contact"))],
)
def test_k6_after_an_outage_what_ends_the_process_is_set_aside_and_the_others_are_delivered(
    tmp_path: Path, hook: str
) -> None:
    """Two batches: the poison is in the first one."""
    with _shop(tmp_path, hook) as shop:
        shop.fault(http="refuse")
        process = shop.start()
        shop.put("1.jsonl", _receipts(1))
        shop.wait_for(lambda stand: stand["counts"]["written"] == 3)
        shop.put("2.jsonl", _receipts(4))
        shop.wait_for(lambda stand: stand["counts"]["written"] == 6)
        process.kill()
        process.wait()
        shop.fault(http="ok")
        least = 5 if hook == "reconcile_contact" else 3
        ends = _run_until(shop, lambda shop: shop.status()["counts"]["delivered"] >= least)
        assert MAX_CRASHES <= ends <= MAX_CRASHES + 1, "tried again after a minute"
        assert f"the process ended {MAX_CRASHES} times during {hook}" in (shop.folder / "run.log").read_text()
        if hook in ("transfer", "find_transferred"):
            (stuck,) = shop.answers("files", "list", "-p", "shop", "--open")
            assert f"during {hook}" in stuck["reason"]


def test_k6_a_history_that_ends_the_process_is_set_aside_and_the_others_are_verified(tmp_path: Path) -> None:
    with _shop(tmp_path, "confirm_receipts") as shop:
        shop.put("1.jsonl", _receipts(1))
        shop.put("2.jsonl", _receipts(4))
        ends = _run_until(shop, lambda shop: _verified(shop) == 5)
        assert MAX_CRASHES <= ends <= MAX_CRASHES + 1, "tried again after a minute"
        assert f"ended {MAX_CRASHES} times during confirm_receipts" in (shop.folder / "run.log").read_text()


def _verified(shop: Shop) -> int:
    return sum(row["confirmed"] == "verified" for row in read(shop.config, "receipts"))
