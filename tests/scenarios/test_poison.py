"""One receipt or document that brings the process down, with the real launcher: it never blocks its neighbours.

And the other way round: what was only in hand when the process was killed is never held for it.
"""

from __future__ import annotations

import subprocess
import time
from contextlib import closing
from pathlib import Path

import pytest

from tests.support.installed import installed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, saved
from tests.support.waiting import until
from tillpost.flow.trials import SUSPECT
from tillpost.journal import Journal

_PLUGIN = """
import functools, os, signal, time
from pathlib import Path

import attrs

import tillpost_engage.contacts
import tillpost_engage.files
import tillpost_engage.payload
import tillpost_engage.transport
from tillpost import hookimpl, simple

ENDS = {{
    "kill": lambda: os.kill(os.getpid(), signal.SIGKILL),
    "segfault": lambda: os.kill(os.getpid(), signal.SIGSEGV),
    "exit": lambda: os._exit(0),
    "hang": lambda: time.sleep(3600),
}}

def poison(owner, hook, is_poisoned, end):
    real = getattr(owner, hook)

    @hookimpl
    @functools.wraps(real)
    def call(self, *given, **named):
        if is_poisoned(*given, *named.values()) and not Path(__file__).with_name("healed").exists():
            ENDS[end]()
        return real(self, *given, **named)

    setattr(owner, hook, call)

def named(contact, *_):
    return any(known.value == "c3" for known in contact.identifiers)

{poison}

@attrs.frozen
class Settings:
    pass

class Nothing:
    @hookimpl
    def amend_payload(self, payload, receipt):
        return None

plugin = simple("brings the process down", "amend", Settings, lambda settings, context: Nothing())
"""
HOOKS = {
    "resolve": ("tillpost_engage.contacts.Contacts", "resolve_contact", "named"),
    "map": ("tillpost_engage.payload.Mapping", "map_receipt", 'lambda receipt, match: receipt.number == "3"'),
    "deliver": (
        "tillpost_engage.transport.Transport",
        "deliver",
        'lambda payload: payload.fields["receiptNumber"] == "3"',
    ),
    "match_in_file": ("tillpost_engage.files.EngageFiles", "match_in_file", "named"),
    "write_files": (
        "tillpost_engage.files.EngageFiles",
        "write_files",
        'lambda batch: any(each.fields["receiptNumber"] == "3" for each in batch.receipts)',
    ),
}


def _poisoned(shop: Shop, folder: Path, step: str, end: str) -> Path:
    """Install the plugin; the file that heals it."""
    owner, hook, is_poisoned = HOOKS[step]
    text = _PLUGIN.format(poison=f'poison({owner}, "{hook}", {is_poisoned}, "{end}")')
    shop.environment = installed(folder / "site", shop.environment, poison=text)
    return folder / "site" / "healed"


def _receipts(count: int) -> bytes:
    return document([receipt_of(number, externalId=f"c{number}") for number in range(1, count + 1)])


def _run_to_the_end(shop: Shop) -> list[int]:
    """As a supervisor does it: started again while it crashes."""
    codes: list[int] = []
    while not codes or codes[-1] in (-9, -11) or (codes[-1] == 0 and not _settled(shop)):
        assert len(codes) < 10
        codes.append(shop.tillpost("run", "--until-idle").returncode)
    return codes


def _settled(shop: Shop) -> bool:
    counts = shop.status()["counts"]
    return bool(counts["delivered"]) and counts["delivered"] + counts["held"] == sum(counts.values())


def test_a_receipt_that_kills_the_process_when_it_is_sent_kills_it_twice_at_most(tmp_path: Path) -> None:
    """It is held, or goes by file when its attempts are used up first."""
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        _poisoned(shop, tmp_path, "deliver", "segfault")
        shop.put("1.jsonl", _receipts(6))
        codes = _run_to_the_end(shop)
        assert codes[:-1] in ([-11], [-11, -11])
        assert codes[-1] == len(shop.answers("held", "list"))
        assert sum(saved(shop).values()) + codes[-1] == 6
        assert set(saved(shop).values()) == {1}


@pytest.mark.parametrize(
    ("step", "end"),
    [
        ("map", "kill"),
        pytest.param("map", "exit", marks=pytest.mark.slow),
        pytest.param("resolve", "exit", marks=pytest.mark.slow),
    ],
)
def test_a_receipt_that_kills_the_process_is_held_after_its_attempts_and_the_others_arrive(
    tmp_path: Path, step: str, end: str
) -> None:
    """A crash while handling one counts as its attempt. After the second it is tried alone, and held."""
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        _poisoned(shop, tmp_path, step, end)
        shop.put("1.jsonl", _receipts(6))
        codes = _run_to_the_end(shop)
        died = {"kill": -9, "exit": 0}[end]
        assert codes == [died, died, 1], "two crashes, then an end with one receipt for a person"
        (held,) = shop.answers("held", "list")
        assert (held["number"], held["attempts"]) == ("3", 3)
        assert "in hand" in held["reason"]
        assert {"kill": "SIGKILL", "exit": "exit code 0"}[end] in held["reason"]
        assert sum(saved(shop).values()) == 5
        assert set(saved(shop).values()) == {1}


@pytest.mark.parametrize(
    "step", ["write_files", *(pytest.param(each, marks=pytest.mark.slow) for each in ("match_in_file", "map"))]
)
def test_b27_in_an_outage_the_receipt_that_kills_the_writer_is_found_and_its_neighbours_are_written(
    tmp_path: Path, step: str
) -> None:
    """One thread maps a whole batch; the neighbours of the one to blame go up by file."""
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        _poisoned(shop, tmp_path, step, "kill")
        shop.put("1.jsonl", _receipts(20))
        shop.fault(http="refuse")
        codes: list[int] = []
        while shop.status()["counts"]["written"] < 19:
            process = shop.start()
            until(lambda p=process: p.poll() is not None or shop.status()["counts"]["written"] >= 19, 150)  # type: ignore[misc]
            if process.poll() is None:
                process.kill()
            codes.append(process.wait())
            assert len(codes) < 8
        assert shop.status()["counts"]["held"] <= 1
        assert {row["number"] for row in shop.answers("held", "list")} <= {"3"}


@pytest.mark.parametrize(
    "step", ["deliver", *(pytest.param(each, marks=pytest.mark.slow) for each in ("resolve", "map"))]
)
def test_b27_what_was_in_hand_at_six_kills_that_were_not_its_fault_is_never_held(tmp_path: Path, step: str) -> None:
    """`kill -9` by a person, an empty battery, a machine out of memory: the receipt in hand only hung."""
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        healed = _poisoned(shop, tmp_path, step, "hang")
        shop.put("1.jsonl", _receipts(4))
        for _ in range(6):
            process = shop.start()
            until(lambda: _is_in_hand(shop), 30, process=process)
            time.sleep(0.5)  # a moment in the middle of it
            process.kill()
            process.wait()
        assert shop.answers("held", "list") == []
        healed.touch()
        process = shop.start()
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 4)
        process.terminate()
        process.wait()
        assert set(saved(shop).values()) == {1}
        assert len(saved(shop)) == 4


@pytest.mark.parametrize("step", ["deliver", pytest.param("map", marks=pytest.mark.slow)])
def test_b27_many_suspects_are_tried_in_a_few_processes_and_the_deadly_one_is_held_alone(
    tmp_path: Path, step: str
) -> None:
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        _poisoned(shop, tmp_path, step, "segfault")
        (tmp_path / "1.jsonl").write_bytes(_receipts(40))
        assert shop.tillpost("accept", str(tmp_path / "1.jsonl")).returncode == 0
        with closing(Journal(shop.folder / "state" / "shop")) as journal:
            journal.receipts.suspect([entry.seq for entry in journal.receipts.find({})], SUSPECT)
        done = shop.tillpost("run", "--until-idle")
        assert done.returncode == 1, "one is held"
        assert [row["number"] for row in shop.answers("held", "list")] == ["3"]
        assert len(saved(shop)) == 39
        assert set(saved(shop).values()) == {1}
        processes = done.stderr.count("tried in a process of its own")
        assert 2 <= processes <= 30, "there are two for each: before it is asked about, and to deliver it"


def _is_in_hand(shop: Shop) -> bool:
    """Whether the process has a receipt in hand, or tries one apart."""
    marks = shop.folder / "state" / "shop" / "crash_marks"
    trying = subprocess.run(["pgrep", "-f", f"compose.trial {shop.config}"], capture_output=True, check=False)
    return trying.returncode == 0 or (marks.exists() and any(marks.read_bytes()))
