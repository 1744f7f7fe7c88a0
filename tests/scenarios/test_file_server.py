"""The line and its file server, with the real launcher and the real sandbox."""

from __future__ import annotations

import re
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any

import apsw
import asyncssh
import attrs
import pytest

from tests.support.receipts import receipt
from tests.support.shop import Shop
from tillpost.model import Receipt
from tillpost.model.receipt_json import dumps

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    """One that transfers as soon as the file server answers."""
    with Shop(tmp_path) as opened:
        text = opened.config.read_text()
        opened.config.write_text(text.replace('use = "sftp",', 'use = "sftp", when = "asap",'))
        yield opened


def document(*receipts: Receipt) -> bytes:
    return b"".join(dumps(each) + b"\n" for each in receipts)


def by_file(shop: Shop) -> Counter[str]:
    """Receipts the sandbox has got by file: id → how often."""
    there = shop.sandbox("receipts")
    rows = there["receipts"] if isinstance(there, dict) else there
    return Counter(row["uniqueReceiptId"] for row in rows if row["route"] == "file" and row["status"] == "imported")


def settled(count: int) -> Any:
    return lambda stand: (
        stand["counts"]["delivered"] == count and stand["files"]["confirmed"] == sum(stand["files"].values())
    )


@contextmanager
def running(shop: Shop) -> Iterator[None]:
    """`tillpost run`, ended by SIGTERM."""
    process = shop.start()
    try:
        yield
        process.send_signal(signal.SIGTERM)
        assert process.wait(30) == 0
    finally:
        process.kill()
        process.wait()


def reasons(shop: Shop) -> list[str]:
    """Why files have not gone their way yet."""
    with closing(apsw.Connection(str(shop.folder / "state" / "shop" / "journal.db"))) as journal:
        return [reason for (reason,) in journal.execute("SELECT reason FROM files")]


def test_files_are_imported_while_the_api_is_away(shop: Shop) -> None:
    """when = "asap": contacts first, then receipts; a store id such as `../../etc` or `åäö/12:3` harms no name."""
    stores = ("../../etc", "åäö/12:3")
    odd = [attrs.evolve(receipt(number=str(number)), store=store) for number, store in enumerate(stores)]
    shop.fault(http="refuse")
    with running(shop):
        shop.put("1.jsonl", document(*odd))
        stand = shop.wait_for(lambda stand: stand["files"]["consumed"] >= 2 and stand["counts"]["transferred"] == 2)
        assert stand["state"] == "fallback"
        assert list(by_file(shop).values()) == [1, 1]
        shop.put("2.jsonl", document(receipt(number="3")))
        shop.wait_for(lambda _: len(by_file(shop)) == 3)
        assert shop.sandbox("stats")["contacts"] == 1
        names = {path.name for path in shop.folder.rglob("*.xml")}
        assert all(re.fullmatch(r"\d{14}_\d+-[0-9a-f]{8}_(contacts|transactions)\.xml", name) for name in names)
        shop.fault(http="ok")
        stand = shop.wait_for(settled(3))
    assert stand["delivered"]["file"] == 3
    assert list(by_file(shop).values()) == [1, 1, 1]


def test_a_changed_host_key_keeps_the_files_and_is_told_with_its_fingerprint(shop: Shop) -> None:
    """Unknown or changed SSH host key: refuse, keep writing files, say which fingerprint."""
    right, shown = shop.config.read_text(), asyncssh.import_public_key(shop.ready["host_key"]).get_fingerprint()
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    shop.config.write_text(right.replace(shop.ready["host_key"].strip(), other))
    shop.fault(http="refuse")
    with running(shop):
        shop.put("1.jsonl", document(receipt(number="1")))
        shop.wait_for(lambda stand: stand["counts"]["written"] == 1 and any(shown in each for each in reasons(shop)))
        shop.put("2.jsonl", document(receipt(number="2")))
        stand = shop.wait_for(lambda stand: stand["counts"]["written"] == 2)
        assert stand["files"]["written"] == sum(stand["files"].values())
    assert by_file(shop) == Counter()
    assert list((shop.folder / "sandbox" / "sftp").rglob("*.xml*")) == []
    shop.config.write_text(right)
    with running(shop):
        shop.wait_for(lambda _: len(by_file(shop)) == 2)
        shop.fault(http="ok")
        shop.wait_for(settled(2))
    assert list(by_file(shop).values()) == [1, 1]
