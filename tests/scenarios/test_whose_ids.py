"""ContactIds are known, not believed: with an Engage of another hand and the sandbox, documented endpoints only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Callable
from functools import partial
from pathlib import Path
from typing import Any

import pytest

from tests.support.command import accept, read
from tests.support.engages import ENGAGES, Destination, starter
from tests.support.oracle import API_KEY
from tests.support.receipts import document, receipt_of
from tests.support.waiting import until

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
verify    = "{verify}"
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId", "email"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, timeout = "2s", \
wait_initial = "100ms", wait_max = "300ms", confirm_after = "1s", revalidate = "{revalidate}" }}
"""
ENVIRONMENT = {**os.environ, "ENGAGE_API_KEY": API_KEY}
NOBODY = "00000000-0000-4000-8000-000000000000"


@pytest.fixture(params=ENGAGES)
def engage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Start one more Engage of a kind."""
    return starter(request.param, tmp_path)


def _tillpost(folder: Path, *words: str) -> list[str]:
    return [sys.executable, "-m", "tillpost", "--config", str(folder / "tillpost.toml"), *words]


def _run(folder: Path, *words: str, fine: bool = True) -> str:
    done = subprocess.run(
        _tillpost(folder, *words),
        env={**os.environ, "ENGAGE_API_KEY": API_KEY},
        timeout=120,
        capture_output=True,
        text=True,
    )
    assert not fine or done.returncode == 0, done.stderr
    return done.stdout + done.stderr


def _configure(folder: Path, url: str, revalidate: str = "1d", verify: str = "all") -> None:
    (folder / "tillpost.toml").write_text(CONFIG.format(url=url, revalidate=revalidate, verify=verify))


def _accept(folder: Path, *receipts: Any) -> None:
    (folder / "day.jsonl").write_bytes(document(list(receipts)))
    accept(folder / "tillpost.toml", str(folder / "day.jsonl"))


def _held(folder: Path) -> dict[str, str]:
    return {row["number"]: row["reason"] for row in read(folder / "tillpost.toml", "held", "list")}


def test_b1_receipts_after_a_merge_and_an_erasure_go_to_the_contact_that_is_there(engage: Any, tmp_path: Path) -> None:
    with engage() as there:
        _configure(tmp_path, there.url, "1ms", "off")  # histories would show it, and then no id is asked about by age
        first = [receipt_of(number, externalId=f"c{number}") for number in range(2)]
        _accept(tmp_path, *first)
        _run(tmp_path, "run", "--until-idle")
        until(lambda: len(there.shown()) == 2, 30)
        merged, erased = (there.shown()[receipt.id] for receipt in first)
        kept = there.register(email="kept@example.se")
        there.merge(merged, kept)
        there.erase(erased)
        second = [receipt_of(number, externalId=f"c{number % 2}") for number in range(2, 8)]
        _accept(tmp_path, *second)
        _run(tmp_path, "run", "--until-idle")
        until(lambda: {receipt.id for receipt in second} <= there.shown().keys(), 30)
        shown, contacts = there.shown(), there.contacts()
    assert {shown[receipt.id] for receipt in second[::2]} == {kept}
    (again,) = {shown[receipt.id] for receipt in second[1::2]}
    assert again not in (kept, erased)
    assert contacts == {kept, again}


def test_b2_production_gets_no_receipt_under_an_id_of_staging(engage: Any, tmp_path: Path) -> None:
    with engage() as staging, engage() as production:
        _configure(tmp_path, staging.url)
        first = [receipt_of(number, externalId=f"c{number % 3}") for number in range(6)]
        _accept(tmp_path, *first)
        _run(tmp_path, "run", "--until-idle")
        until(lambda: len(staging.shown()) == 6, 30)
        used = set(staging.shown().values())
        known = production.register(externalId="c0")
        _configure(tmp_path, production.url)
        second = [receipt_of(number, externalId=f"c{number % 3}") for number in range(6, 12)]
        _accept(tmp_path, *second)
        said = _run(tmp_path, "run", "--until-idle")
        until(lambda: len(production.shown()) == 6, 30)
        shown = production.shown()
        assert staging.shown().keys() == {receipt.id for receipt in first}
    assert shown.keys() == {receipt.id for receipt in second}
    assert not set(shown.values()) & used
    assert shown[second[0].id] == known
    assert said.count("another tenant") == 1
    (tenant,) = [
        each["tenant"] for each in json.loads(_run(tmp_path, "status", "--json", fine=False))["pipelines"].values()
    ]
    assert (tenant["address"], tenant["former"]) == (production.url, staging.url)
    assert "alert since" in _run(tmp_path, "status", fine=False)


def test_b2_a_reload_to_production_uses_no_id_of_staging(engage: Any, tmp_path: Path) -> None:
    with engage() as staging, engage() as production:
        _configure(tmp_path, staging.url)
        _accept(tmp_path, *(receipt_of(number, externalId=f"c{number % 3}") for number in range(6)))
        with subprocess.Popen(_tillpost(tmp_path, "run"), env=ENVIRONMENT) as process:
            try:
                until(lambda: len(staging.shown()) == 6, 30, process=process)
                _configure(tmp_path, production.url)
                _run(tmp_path, "reload")
                second = [receipt_of(number, externalId=f"c{number % 3}") for number in range(6, 12)]
                _accept(tmp_path, *second)
                until(lambda: len(production.shown()) == 6, 30, process=process)
            finally:
                process.kill()
        used, shown = set(staging.shown().values()), production.shown()
    assert shown.keys() == {receipt.id for receipt in second}
    assert not used & set(shown.values())


def _is(folder: Path, state: str) -> bool:
    return f"shop: {state}" in _run(folder, "status", fine=False)


def _shows(there: Destination, receipt_id: str) -> bool:
    return receipt_id in there.shown()


def test_b5_the_line_goes_on_after_an_outage_and_a_revoked_key(engage: Any, tmp_path: Path) -> None:
    with engage() as there:
        _configure(tmp_path, there.url)
        for number, (status, state) in enumerate((("500", "degraded"), ("401", "paused"))):
            there.fail(status)
            receipt = receipt_of(number, externalId="c1")
            _accept(tmp_path, receipt)
            with subprocess.Popen(_tillpost(tmp_path, "run"), env=ENVIRONMENT) as process:
                try:
                    until(partial(_is, tmp_path, state), 30, process=process)
                    there.fail("ok")
                    until(partial(_shows, there, receipt.id), 30, process=process)
                finally:
                    process.kill()


def test_b30_a_contact_id_of_a_till_is_looked_up_before_it_is_used(engage: Any, tmp_path: Path) -> None:
    with engage() as there:
        _configure(tmp_path, there.url)
        known, erased = there.register(email="a@example.se"), there.register(email="b@example.se")
        there.erase(erased)
        good = [
            receipt_of(1, contactId=known),
            receipt_of(2, contactId="6391234567", externalId="c2"),
            receipt_of(3, contactId=NOBODY, externalId="c3"),
        ]
        bad = [receipt_of(4, contactId="6391234568"), receipt_of(5, contactId=erased), receipt_of(6, contactId="../..")]
        _accept(tmp_path, *good, *bad)
        _run(tmp_path, "run", "--until-idle", fine=False)  # 1: receipts are held
        until(lambda: len(there.shown()) == len(good), 30)
        shown = there.shown()
    assert shown.keys() == {receipt.id for receipt in good}
    assert shown[good[0].id] == known
    held = _held(tmp_path)
    assert held.keys() == {receipt.number for receipt in bad}
    assert all("contactId given belongs to no contact" in reason for reason in held.values())
