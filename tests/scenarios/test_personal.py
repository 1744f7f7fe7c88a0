"""faults.md, section People: keys, national ids, e-mails and phone numbers never reach a log, a text or an answer.

A whole outage with known people and secrets, told at level DEBUG, with a plugin that quotes what it was given: then
every output is searched.
"""

from __future__ import annotations

import json
import sqlite3
import subprocess
import sys
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from urllib.parse import quote

import attrs
import pytest

from tests.support.installed import installed
from tests.support.receipts import document, receipt
from tests.support.shop import KEY, Shop, configure, stop
from tillpost.model import Customer, Identifier, Receipt
from tillpost_demo.catalogue import PHONE_SERIES
from tillpost_demo.generator import make_day

pytestmark = pytest.mark.slow

PEOPLE = (
    {"email": "agneta.hemlig+kund@example.se", "mobilePhone": "+46701740611"},
    {"socialSecurityNumber": "19811218-9876", "externalId": "CARD-99887"},
    {"mobilePhone": "+46701740622", "externalId": "CARD-55443"},
    {"memberNumber": "MEMBER-31337"},
    {"email": "ingen-adress"},
)
NAMES = {"firstName": "Agneta", "lastName": "Hemligsson", "street": "Hemliga gatan 7"}
LOUD = """
import logging
basic = logging.basicConfig
logging.basicConfig = lambda **given: basic(**given | {"level": logging.DEBUG})
"""
QUOTES = """
import attrs
from tillpost import hookimpl, simple

@attrs.frozen
class NoSettings:
    pass

class Quotes:
    @hookimpl
    def observe(self, event):
        raise ValueError(f"agneta.hemlig+kund@example.se {event}")

    @hookimpl
    def amend_payload(self, payload, receipt):
        if receipt.number.endswith("3"):
            raise LookupError(f"{receipt.customer.identifiers[0].value} in {payload.fields}")

def make(settings, context):
    return Quotes()

from tillpost import Plugin
plugin = Plugin(
    summary="Quotes what it is given", slots={"observe": NoSettings, "amend": NoSettings},
    build=lambda uses, context: [Quotes() for _ in uses],
)
"""


def values(shop: Shop) -> set[str]:
    """What must not be seen, as it is and as it stands in an address."""
    told = {value for person in PEOPLE for value in person.values()} | set(NAMES.values())
    told |= {KEY, shop.ready["password"]}
    return told | {quote(value, safe="") for value in told} | {value.upper() for value in told}


def found(text: str, wanted: set[str]) -> list[str]:
    return sorted(value for value in wanted if value in text)


def receipts(first: int) -> list[Receipt]:
    made = []
    for number, person in enumerate(PEOPLE * 2, first):
        identifiers = tuple(Identifier(kind, value) for kind, value in person.items())
        made.append(
            attrs.evolve(receipt(str(number)), customer=Customer(identifiers=identifiers, attributes=dict(NAMES)))
        )
    return made


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(
        tmp_path / "shop", own='unknown_after = "0s"\namend = { use = "quotes" }\nobserve = { use = "quotes" }'
    ) as opened:
        opened.environment = installed(tmp_path / "site", opened.environment, quotes=QUOTES, sitecustomize=LOUD)
        # Nobody knows the one with an impossible address, so the files behind wait so long for its file.
        configure(opened, 'confirm_within = "120s"', 'confirm_within = "8s"')
        yield opened


OUTAGES = ("500", "401", "html", "hang", "refuse")
ON_THE_WAY = ("accepted", "resolved", "waiting", "uncertain", "written", "transferred")


def through_an_outage(shop: Shop) -> None:
    """Every kind of trouble, with people in every request of it, until all is settled."""
    shop.put("1.jsonl", document(receipts(0)))
    shop.put("broken.jsonl", b'{"number": "77", "customer": "agneta.hemlig+kund@example.se", Hemligsson}\n')
    shop.wait_for(lambda stand: stand["delivered"]["api"] > 3)
    for number, fault in enumerate(OUTAGES, 1):
        shop.fault(http=fault)
        shop.put(f"{fault}.jsonl", document(receipts(100 * number)))
        shop.wait_for(lambda stand: stand["state"] != "online")
    shop.wait_for(lambda stand: stand["files"]["written"] > 0)
    shop.fault(sftp="refuse", http="ok")
    shop.wait_for(lambda stand: stand["state"] == "catching up")
    shop.fault(sftp="ok")
    shop.wait_for(
        lambda stand: stand["state"] == "online" and not any(stand["counts"][name] for name in ON_THE_WAY), 120
    )


def test_no_personal_value_and_no_secret_is_told_anywhere_through_a_whole_outage(shop: Shop) -> None:
    """Logs, answers of every command in both forms, events, and what is wrong with a file: searched for every value."""
    process = shop.start()
    try:
        through_an_outage(shop)
        stop(process)
    finally:
        process.kill()
        process.wait()
    wanted = values(shop)
    log = (shop.folder / "run.log").read_text()
    assert " DEBUG " in log, "the level at which libraries tell addresses"
    assert "observer: plugin 'quotes'" in log
    assert found(log, wanted) == []
    held = shop.answers("held", "list")
    assert held
    ids = [row["id"] for row in shop.answers("receipts")]
    commands = [
        ["status"], ["receipts"], ["held", "list"], ["contacts"], ["contacts", "--pending"], ["files"], ["plugins"],
        ["check", "--offline"], *(["receipt", each] for each in (ids[0], ids[-1], held[0]["id"])),
        ["held", "retry", held[0]["id"]],
    ]  # fmt: skip
    for words in commands:
        for form in ([], ["--json"]):
            done = shop.tillpost(*words, *form)
            assert found(done.stdout + done.stderr, wanted) == [], words
    assert found(told_by_the_journal(shop), wanted) == []


def told_by_the_journal(shop: Shop) -> str:
    """The events, and every reason; bodies, contacts and identifiers are what the journal is for."""
    with closing(sqlite3.connect(shop.folder / "state" / "shop" / "journal.db")) as journal:
        rows = list(journal.execute("SELECT * FROM events"))
        for table in ("receipts", "files", "destination", "no_receipts"):
            rows += list(journal.execute(f"SELECT reason FROM {table}"))
    return str(rows)


def test_a_traceback_of_the_launcher_quotes_nobody(shop: Shop) -> None:
    """Read from a file that holds a person where a number should be: the error names the place and not the value."""
    (shop.folder / "odd.jsonl").write_bytes(
        json.dumps({"number": 1, "customer": {"identifiers": [{"kind": "email", "value": ["x@hemlig.se"]}]}}).encode()
    )
    done = shop.tillpost("accept", str(shop.folder / "odd.jsonl"))
    assert done.returncode == 1
    assert "hemlig" not in done.stdout + done.stderr


def test_the_report_of_the_demo_tells_no_person(tmp_path: Path) -> None:
    page = tmp_path / "report.html"
    demo = [sys.executable, "-m", "tillpost", "demo", "--dir", str(tmp_path / "demo"), "--report", str(page), "--json"]
    done = subprocess.run(demo, capture_output=True, text=True, timeout=240, check=False)
    assert done.returncode == 0, done.stdout + done.stderr
    people = {key.value for person in make_day(1, 120).known for key in person.keys}
    people |= {f"+46{number}" for number in PHONE_SERIES} | {"@example.com", "@example.org"}
    said = page.read_text("utf-8") + done.stdout + done.stderr
    said += "".join(path.read_text("utf-8") for path in (tmp_path / "demo").glob("*.err"))
    assert found(said, people) == []
