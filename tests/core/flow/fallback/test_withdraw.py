"""A fallback, or a file server, is taken away or changed while receipts are in files: none is stranded or misjudged."""

from __future__ import annotations

import attrs
import pytest

from tests.scenarios.simulator.machine import Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import deliver_all, outage, take
from tillpost.flow.breaker import ANSWERS_NEEDED
from tillpost.flow.worker import maintain
from tillpost.journal import FileState
from tillpost.journal.sqlite import doctor

KEYS = {"externalId": "4711"}


def answering(machine: Machine, rounds: int = ANSWERS_NEEDED) -> None:
    machine.faults.api = "ok"
    for _ in range(rounds):
        machine.clock.advance(300.0)
        maintain(machine.line)


def without_fallback(machine: Machine) -> None:
    machine.line = attrs.evolve(machine.line, fallback=None, transfer=None, server="")


def on_server(machine: Machine, server: str) -> None:
    machine.line = attrs.evolve(machine.line, server=server)


def counts(machine: Machine) -> dict[str, int]:
    return {state: count for state, count in machine.line.journal.receipts.counts().items() if count}


def test_b13_receipts_in_files_go_by_api_when_the_fallback_was_taken_away(machine: Machine) -> None:
    take(machine, *(sale(number, KEYS) for number in (1, 2, 3)))
    outage(machine)
    assert counts(machine) == {"written": 3}
    without_fallback(machine)
    maintain(machine.line)
    assert counts(machine) == {"written": 3}, "the API is away, and the setting may come back"
    answering(machine)
    assert counts(machine) == {"waiting": 3}
    assert machine.line.journal.files.all() == []
    assert not [path for path in machine.line.journal.fallback_folder.rglob("*") if path.is_file()]
    deliver_all(machine)
    assert counts(machine) == {"delivered": 3}
    assert machine.line.breaker.destination.state == "online"
    assert [damage for damage in doctor.verify(machine.line.journal.folder).damages if not damage.note] == []


@pytest.mark.parametrize("read", [True, False])
def test_b13_what_was_uploaded_is_looked_for_first_when_the_fallback_was_taken_away(
    machine: Machine, read: bool
) -> None:
    take(machine, sale(1, KEYS))
    outage(machine)
    answering(machine, ANSWERS_NEEDED + 2)
    if read:
        machine.imports.read_all()
        answering(machine, 2)
        machine.imports.read_all()
    without_fallback(machine)
    maintain(machine.line)
    assert not machine.line.journal.file_states.open_states()
    for _ in range(4):
        machine.clock.advance(machine.line.retry.confirm_after.total_seconds() + 1.0)
        maintain(machine.line)
        deliver_all(machine)
    assert counts(machine) == {"delivered": 1}
    machine.imports.read_all()
    assert machine.line.breaker.destination.state == "online"


def test_b25_a_file_on_an_earlier_server_is_not_taken_for_read(machine: Machine) -> None:
    on_server(machine, "sftp old:22/integration")
    take(machine, sale(1, KEYS))
    outage(machine)
    answering(machine, ANSWERS_NEEDED + 2)
    (entry, *_) = machine.line.journal.files.open()
    assert (entry.state, entry.server) == (FileState.UPLOADED, "sftp old:22/integration")
    on_server(machine, "sftp new:22/integration")
    machine.imports.files.clear()
    machine.clock.advance(300.0)
    maintain(machine.line)
    entry = machine.line.journal.files.get(entry.file.name)
    assert entry.state is not FileState.CONSUMED
    for _ in range(30):
        machine.clock.advance(300.0)
        maintain(machine.line)
        machine.imports.read_all()
        deliver_all(machine)
    assert machine.line.journal.files.get(entry.file.name).server == "sftp new:22/integration"
    assert counts(machine) == {"delivered": 1}
