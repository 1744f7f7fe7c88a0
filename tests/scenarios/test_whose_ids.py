"""ContactIds are known, not believed: with an Engage of another hand and the sandbox, documented endpoints only."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.oracle import API_KEY, EVERYTHING, running_oracle
from tests.support.receipts import document, receipt_of
from tests.support.waiting import until
from tillpost_sandbox import Sandbox

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


@attrs.frozen
class Destination:
    """An Engage under test. shown: receipt id → contactId of what it has imported."""

    url: str
    register: Callable[..., str]
    merge: Callable[[str, str], None]
    erase: Callable[[str], None]
    shown: Callable[[], dict[str, str]]
    contacts: Callable[[], set[str]]
    fail: Callable[[str], None]
    """Answer everything with this status from now on; "ok" ends it."""


@contextmanager
def _oracle(everything: bool) -> Iterator[Destination]:
    with running_oracle(**(EVERYTHING if everything else {})) as oracle:
        yield Destination(
            url=oracle.url, register=oracle.register, merge=oracle.merge, erase=oracle.erase,
            shown=lambda: dict(oracle.state()["owner"]), contacts=lambda: set(oracle.state()["contacts"]),
            fail=lambda status: oracle.mode(http=status),
        )  # fmt: skip


@contextmanager
def _sandbox(folder: Path, everything: bool) -> Iterator[Destination]:
    options: dict[str, object] = {"undocumented": "ok" if everything else "403"}
    folder.mkdir(exist_ok=True)
    with Sandbox(dir=folder, api_key=API_KEY, import_every=0.1, rate_limit=9999, options=options) as sandbox:

        def ask(url: str, body: Any = None) -> Any:
            headers = {"apikey": API_KEY, "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            with urllib.request.urlopen(urllib.request.Request(url, data, headers), timeout=30) as answer:
                return json.loads(answer.read() or b"null")

        def control(name: str, body: Any = None) -> Any:
            return ask(f"{sandbox.control_url}/_sandbox/{name}", body)

        yield Destination(
            url=sandbox.url,
            register=lambda **fields: str(ask(f"{sandbox.url}/api/v3/contacts", fields)["id"]),
            merge=lambda gone, into: control("merge", {"contactId": gone, "into": into}),
            erase=lambda gone: control("erase", {"contactId": gone}),
            shown=lambda: {
                row["uniqueReceiptId"]: row["contactId"] for row in control("receipts") if row["status"] == "imported"
            },
            contacts=lambda: {row["id"] for row in control("contacts") if not row["gone"]},
            fail=lambda status: control("faults", {"http": status}),
        )


@pytest.fixture(params=["oracle", "oracle with everything", "sandbox", "sandbox with everything"])
def engage(request: pytest.FixtureRequest, tmp_path: Path) -> Callable[[], Any]:
    """Start one more Engage of a kind; those without everything know documented endpoints only."""
    kind, everything, started = request.param.split()[0], "everything" in request.param, iter(range(9))

    def start() -> Any:
        return _oracle(everything) if kind == "oracle" else _sandbox(tmp_path / f"sandbox{next(started)}", everything)

    return start


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
    _run(folder, "accept", str(folder / "day.jsonl"))


def _held(folder: Path) -> dict[str, str]:
    rows = [json.loads(line) for line in _run(folder, "held", "list", "--json", fine=False).splitlines()]
    return {row["number"]: row["reason"] for row in rows}


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
