"""A day of real baskets. Engage ignores one in a hundred and merges one in a hundred contacts; all are found."""

from __future__ import annotations

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from itertools import islice
from pathlib import Path
from random import Random

import pytest

from tests.support import completejourney
from tests.support.exports import export
from tests.support.proving import AFTER, WITHIN, Proving, RemoteSandbox, proving, tenant
from tillpost.flow.intake.accept import accept
from tillpost.journal import State
from tillpost.model import Document

SHARE = 100
"""One in so many is ignored, or merged."""


def one_day(most: int) -> list[str]:
    """The baskets of the sample, which are of a year, all sold today at their time of day; at most so many."""
    given = completejourney.receipts(export("completejourney", "receipts-small.jsonl.gz"))
    today = datetime.now(UTC).date().isoformat()
    lines = []
    for basket in map(json.loads, islice(given, most)):
        basket["created"] = today + basket["created"][10:]
        lines.append(json.dumps(basket | {"business_date": today}))
    return sorted(lines, key=lambda line: str(json.loads(line)["created"]))


def sell(shop: Proving, lines: list[str], name: str) -> None:
    accept(shop.line, Document.from_bytes(name, "".join(f"{line}\n" for line in lines).encode()))
    shop.deliver()


def _contacts(shop: Proving, line: str) -> list[str]:
    (known,) = json.loads(line)["customer"]["identifiers"]
    return shop.line.journal.search.contacts_known_by(f"{known['kind']}:{known['value']}")


@pytest.mark.parametrize("most", [300, pytest.param(100_000, marks=pytest.mark.slow)])
def test_b1_b3_every_receipt_ignored_or_stranded_is_found_by_name_without_a_person(
    tmp_path: Path, most: int, measured: Callable[[str], None]
) -> None:
    lines, chance = one_day(most), Random(13)
    with tenant("sandbox", tmp_path) as engage, proving(tmp_path, engage) as shop:
        assert isinstance(engage, RemoteSandbox)
        morning, evening = lines[: len(lines) // 2], lines[len(lines) // 2 :]
        sell(shop, morning, "morning.jsonl")
        rows = shop.line.journal.receipts.find({})
        households = sorted({row.contact for row in rows if row.contact})
        ignored = {row.id for row in chance.sample(rows, max(1, len(lines) // SHARE))}
        engage.ignore(*ignored)
        engage.do_import()
        # Half of the day is shown; then contacts are merged while their ids are stored, and the day goes on.
        comes_again = sorted(set(households) & {key for line in evening for key in _contacts(shop, line)})
        merged = chance.sample(comes_again, max(1, len(households) // SHARE))
        for number, key in enumerate(merged):
            gone = shop.line.journal.contacts.get(key).contact_id
            engage.merge(gone, engage.register(email=f"kept{number}@example.com"))
        sell(shop, evening, "evening.jsonl")
        engage.do_import()
        total = len(shop.line.journal.receipts.find({}))
        assert total == len(lines)
        assert shop.line.journal.receipts.counts()["delivered"] == total, "Engage took all of them with 202"
        stranded = {row.id for row in shop.line.journal.receipts.find({})} - set(engage.shown()) - ignored
        assert len(stranded) >= len(merged), "sold under an id that is gone, and never imported"

        shop.later(AFTER)
        shop.verify()
        shop.deliver()  # those of the merged contacts, again
        engage.do_import()
        shop.later(AFTER)
        shop.verify()
        shop.later(WITHIN)
        shop.verify()

        states = shop.states()
        held = {name for name, state in states.items() if state == State.HELD}
        assert held == ignored, "by name"
        assert {name for name, state in states.items() if state == "verified"} == set(states) - held
        assert stranded <= set(engage.shown()), "each receipt of a merged contact is in Engage"
        stand = shop.line.journal.verification.stand()
        assert sum(stand.verified.values()) + len(held) == total, "verified and held are what was accepted"
        assert (stand.waiting, stand.unverified) == (0, 0)
        for entry in shop.line.journal.receipts.find({"state": "held"}):
            # An ignored one of a merged contact was sent again.
            sent_again = ("(contact gone)",) if entry.contact in merged else ()
            assert any(cause in entry.reason for cause in ("(article rule)", "(store ", *sent_again))
        shown = [row["uniqueReceiptId"] for row in engage.control("GET", "receipts") if row["status"] == "imported"]
        assert len(shown) == len(set(shown)) == total - len(held), "and none is there twice"
        say = f"{total} baskets, {len(ignored)} ignored, {len(merged)} of {len(households)} contacts merged"
        say += (
            f" ({len(stranded)} receipts stranded): all found with {stand.requests} requests in {stand.looks} readings"
        )
        measured(say)
        assert stand.requests <= 2 * len(households) + 12 * len(held | stranded), "a day is proved with few requests"
        assert timedelta(seconds=stand.lag or 0) < timedelta(hours=25)
