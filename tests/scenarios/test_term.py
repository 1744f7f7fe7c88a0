"""faults.md, section People: SIGTERM in each state of the destination, with the real launcher and the real sandbox.

It ends within the grace period, whatever is under way; so does a second SIGTERM. The next start settles every receipt,
each once.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import attrs
import pytest

from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, control, saved, settled, stop
from tillpost.flow.breaker import STATES

pytestmark = pytest.mark.slow

GRACE = 10.0
SLACK = 15.0
"""Seconds a busy machine may need to notice and to write down the end."""
COUNT = 12


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, own="workers = 3") as opened:
        yield opened


def receipts(first: int, count: int) -> bytes:
    return document([receipt_of(number, externalId=f"customer-{number % 3}") for number in range(first, first + count)])


def slowly_online(shop: Shop) -> None:
    """Each answer takes its seconds: calls are in flight, and nothing is wrong."""
    control(shop, "faults", http="slow", drip=0.004)
    shop.put("1.jsonl", receipts(0, COUNT))
    shop.wait_for(lambda stand: stand["counts"]["resolved"] > 0 or stand["counts"]["delivered"] > 0)


def silent(shop: Shop) -> None:
    """Connections are accepted and never answered; too short for files."""
    shop.fault(http="hang")
    shop.put("1.jsonl", receipts(0, COUNT))


def wrong_key(shop: Shop) -> None:
    shop.fault(http="401")
    shop.put("1.jsonl", receipts(0, COUNT))


def gone(shop: Shop) -> None:
    shop.fault(http="refuse")
    shop.put("1.jsonl", receipts(0, COUNT))
    shop.wait_for(lambda stand: stand["counts"]["written"] == COUNT)


def no_file_server(shop: Shop) -> None:
    """The API is back, and the files find nobody."""
    gone(shop)
    shop.fault(sftp="refuse")
    shop.fault(http="ok")


def no_import(shop: Shop) -> None:
    """The files are up, and the import does not read them."""
    control(shop, "settings", import_files_every=3600)
    # Of known contacts: what belongs to new ones would wait for their file, and the destination would go on catching
    # up.
    shop.put("0.jsonl", receipts(0, COUNT // 2))
    shop.wait_for(lambda stand: stand["counts"]["delivered"] == COUNT // 2)
    shop.fault(http="refuse")
    shop.put("1.jsonl", receipts(COUNT // 2, COUNT // 2))
    shop.wait_for(lambda stand: stand["counts"]["written"] == COUNT // 2)
    shop.fault(http="ok")


@attrs.frozen
class Case:
    """How a state is reached, and what the configuration needs for it."""

    reach: Callable[[Shop], None]
    after: str = "500ms"
    timeout: str = "4s"


CASES = {
    "online": Case(slowly_online, after="1h", timeout="30s"),
    "degraded": Case(silent, after="1h"),
    "paused": Case(wrong_key),
    "fallback": Case(gone),
    "catching up": Case(no_file_server),
    "confirming": Case(no_import),
}


def test_every_state_of_the_tenant_has_its_case() -> None:
    assert tuple(CASES) == STATES


@pytest.mark.parametrize("signals", [1, 2], ids=["one SIGTERM", "and a second"])
@pytest.mark.parametrize("state", CASES)
def test_sigterm_in_each_state_ends_within_the_grace_period_and_nothing_is_lost(
    shop: Shop, state: str, signals: int
) -> None:
    """Receipts arrive at the very moment; what was acknowledged and what was not are both settled, once."""
    case = CASES[state]
    configure(shop, 'after = "500ms"', f'after = "{case.after}"')
    configure(shop, 'timeout = "5s"', f'timeout = "{case.timeout}"')
    with (shop.folder / "run.log").open("ab") as log:
        process = subprocess.Popen(
            shop.command("run", "--grace", str(GRACE)), env=shop.environment, stdout=log, stderr=log
        )
    try:
        case.reach(shop)
        shop.wait_for(lambda stand: stand["state"] == state)
        shop.put("2.jsonl", receipts(COUNT, 50))
        began = time.monotonic()
        for _ in range(signals):
            process.send_signal(signal.SIGTERM)
            time.sleep(0.05)  # two signals at one instant are one to the system
        code = process.wait(GRACE + SLACK)
        took = time.monotonic() - began
    finally:
        process.kill()
        process.wait()
    assert code == 0, (shop.folder / "run.log").read_text()
    assert took < GRACE + SLACK
    stand = shop.status()
    assert stand["counts"]["held"] == 0
    control(shop, "settings", import_files_every=0.3)
    shop.fault(http="ok", sftp="ok")
    again = shop.start()
    shop.wait_for(settled(COUNT + 50))
    stop(again)
    assert len(saved(shop)) == COUNT + 50
    assert set(saved(shop).values()) == {1}
    assert shop.sandbox("stats")["duplicated"] == 0
