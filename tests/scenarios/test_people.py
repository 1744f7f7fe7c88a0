"""People are never mixed up or set back: whole runs with an Engage of another hand and with the sandbox."""

from __future__ import annotations

import os
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.command import accept, read
from tests.support.engages import ENGAGES, Destination, starter
from tests.support.oracle import API_KEY
from tests.support.receipts import document, receipt_of
from tests.support.waiting import until
from tillpost.model import Customer, Receipt

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
{own}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["memberNumber", "externalId", "email", "mobilePhone"], \
create = {create} }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "2s", \
wait_initial = "100ms", wait_max = "300ms", confirm_after = "1s", revalidate = "1ms" }}
"""
ENVIRONMENT = {**os.environ, "ENGAGE_API_KEY": API_KEY}
SHARED = "family@example.se"


@pytest.fixture(params=ENGAGES)
def there(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Destination]:
    with starter(request.param, tmp_path)() as started:
        yield started


def _tillpost(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tillpost", "--config", str(folder / "tillpost.toml"), *words]


def _run(folder: Path, *words: str, fine: bool = True) -> str:
    done = subprocess.run(_tillpost(folder, *words), env=ENVIRONMENT, timeout=120, capture_output=True, text=True)
    assert not fine or done.returncode == 0, done.stdout + done.stderr
    return done.stdout


def _configure(folder: Path, there: Destination, own: str = "", *, create: bool = True) -> None:
    text = CONFIG.format(url=there.url, own=own, create=str(create).lower())
    (folder / "tillpost.toml").write_text(text)


def _accept(folder: Path, *receipts: Receipt) -> None:
    (folder / "day.jsonl").write_bytes(document(list(receipts)))
    accept(folder / "tillpost.toml", str(folder / "day.jsonl"))


def _said(receipt: Receipt, hours_ago: float = 0.0, **attributes: str) -> Receipt:
    assert receipt.customer is not None
    customer = Customer(identifiers=receipt.customer.identifiers, attributes=attributes)
    created = datetime.now(receipt.created.tzinfo) - timedelta(hours=hours_ago)
    return attrs.evolve(receipt, customer=customer, created=created.replace(microsecond=0))


def _shown(there: Destination, *receipts: Receipt) -> list[str]:
    """Whose history shows these receipts."""
    until(lambda: {receipt.id for receipt in receipts} <= there.shown().keys(), 120, why=there.shown)
    shown = there.shown()
    return [shown[receipt.id] for receipt in receipts]


def _sell(folder: Path, there: Destination, *receipts: Receipt) -> list[str]:
    """Accept and deliver them; whose history shows them."""
    _accept(folder, *receipts)
    _run(folder, "run", "--until-idle")
    return _shown(there, *receipts)


def test_b6_each_member_of_a_family_has_his_own_receipts(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    first, second = there.register(externalId="A", email=SHARED), there.register(externalId="B")
    assert _sell(tmp_path, there, receipt_of(1, externalId="A", email=SHARED)) == [first]
    third = (receipt_of(4, externalId="C", email=SHARED), receipt_of(5, externalId="C"))
    sales = (receipt_of(2, externalId="B", email=SHARED), receipt_of(3, externalId="B"), *third)
    two, three, four, five = _sell(tmp_path, there, *sales)
    assert (two, three) == (second, second)
    assert four == five
    assert four not in (first, second)
    assert "email" not in there.attributes(four), "it is created without what another has"
    timeline = _run(tmp_path, "receipt", third[0].id)
    assert "identifier of another person" in timeline


def test_b7_an_old_receipt_sets_nothing_back(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    newer = _said(receipt_of(2, externalId="A"), 1.5, city="Malmö", street="Storgatan 1")
    older = _said(receipt_of(1, externalId="A"), 72.0, city="Lund", zipCode="22100")
    (person,) = _sell(tmp_path, there, newer)
    assert _sell(tmp_path, there, older) == [person]
    known = there.attributes(person)
    assert {name: known.get(name) for name in ("city", "street", "zipCode")} == {
        "city": "Malmö",
        "street": "Storgatan 1",
        "zipCode": "22100",
    }


def test_b8_corrections_of_customer_care_stay_after_a_merge(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    (gone,) = _sell(tmp_path, there, _said(receipt_of(1, externalId="A"), firstName="Eav", city="Lund"))
    kept = there.register(email="eva@example.se")
    there.merge(gone, kept)
    there.correct(kept, firstName="Eva", city="Malmö")
    assert _sell(tmp_path, there, _said(receipt_of(2, externalId="A"), street="Storgatan 1")) == [kept]
    known = there.attributes(kept)
    assert (known["firstName"], known["city"], known["street"]) == ("Eva", "Malmö", "Storgatan 1")


def test_b9_an_erased_person_is_made_from_what_the_receipt_carries(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    first = _said(receipt_of(1, externalId="A", email="eva@example.se"), firstName="Eva", city="Lund")
    (erased,) = _sell(tmp_path, there, first)
    second = _said(receipt_of(2, externalId="A"), zipCode="22100")
    _accept(tmp_path, second)
    there.erase(erased)
    _run(tmp_path, "run", "--until-idle")
    (again,) = _shown(there, second)
    known = there.attributes(again)
    assert (known["externalId"], known["zipCode"]) == ("A", "22100")
    assert not {"firstName", "city", "email"} & {name for name, value in known.items() if value}


@contextmanager
def _running(folder: Path) -> Iterator[subprocess.Popen[bytes]]:
    with subprocess.Popen(_tillpost(folder, "run"), env=ENVIRONMENT, stdout=subprocess.PIPE) as process:
        try:
            yield process
        finally:
            process.terminate()
            process.communicate(timeout=30)


def _receipt(folder: Path, receipt: Receipt) -> Any:
    return read(folder / "tillpost.toml", "receipt", receipt.id)[0]


def test_b4_who_registers_later_gets_the_receipt(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there, create=False)
    sales = [receipt_of(number, externalId="A") for number in range(3)]
    _accept(tmp_path, *sales)
    with _running(tmp_path):
        until(lambda: _receipt(tmp_path, sales[0])["state"] == "waiting", 60)
        row = _receipt(tmp_path, sales[0])
        assert "unknown" in row["reason"]
        assert row["next_attempt_at"]
    person = there.register(externalId="A")
    with _running(tmp_path):
        assert _shown(there, *sales) == [person] * 3


def test_b10_what_is_no_identifier_is_told(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    sale = receipt_of(1, externalId="A", email="not an address", mobilePhone="0701234567")
    (person,) = _sell(tmp_path, there, sale)
    assert there.attributes(person)["externalId"] == "A"
    assert "unusable-email, unusable-mobilePhone" in _run(tmp_path, "receipt", sale.id)
    tried = _run(tmp_path, "adapter", "try", "receipts", str(tmp_path / "day.jsonl"), fine=False)
    assert "unusable-email" in tried, "and a person should look"


def test_b33_a_national_number_finds_the_customer(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there, 'country = "SE"')
    person = there.register(mobilePhone="+46701234567")
    sales = [receipt_of(number, mobilePhone=text) for number, text in enumerate(("0701234567", "070-123 45 67"))]
    assert _sell(tmp_path, there, *sales) == [person, person]


def test_s15_a_long_identifier_stops_nobody(there: Destination, tmp_path: Path) -> None:
    _configure(tmp_path, there)
    long, good = receipt_of(1, externalId="x" * 70_000), receipt_of(2, externalId="A")
    _accept(tmp_path, long, good)
    _run(tmp_path, "run", "--until-idle", fine=False)
    assert len(_shown(there, good)) == 1
    held = _receipt(tmp_path, long)
    assert (held["state"], "70000 characters" in held["reason"]) == ("held", True)
