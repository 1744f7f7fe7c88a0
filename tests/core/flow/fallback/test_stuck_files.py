"""A file that stays where it is raises one alert, which ends when the file moves on."""

from __future__ import annotations

from typing import Any

from tests.scenarios.simulator.machine import FALLBACK, Machine
from tests.scenarios.simulator.till import sale
from tests.support.simulated import back, outage, take
from tillpost.flow.breaker import ANSWERS_NEEDED
from tillpost.flow.worker import maintain
from tillpost.journal import FileEntry, FileState

LONG = FALLBACK.alert_after.total_seconds()


def uploaded(machine: Machine) -> FileEntry:
    """The contacts file is in the folder of the destination, which answers again and has not read it."""
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    answering(machine)
    return file(machine)


def answering(machine: Machine) -> None:
    machine.faults.api = "ok"
    for _ in range(ANSWERS_NEEDED + 2):  # two rounds more: its contacts are looked up before a file goes up
        machine.clock.advance(300.0)
        maintain(machine.line)


def file(machine: Machine) -> FileEntry:
    return machine.line.journal.files.open()[0]


def alerts(machine: Machine) -> list[dict[str, Any]]:
    return [event for event in machine.line.journal.events.unobserved(1000) if event["step"] == "alert"]


def test_a_file_nobody_reads_raises_an_alert_once_and_not_before_its_time(machine: Machine) -> None:
    assert uploaded(machine).state is FileState.UPLOADED
    machine.clock.advance(LONG - 400.0)
    maintain(machine.line)
    assert alerts(machine) == []
    for _ in range(3):
        machine.clock.advance(600.0)
        maintain(machine.line)
    (alert,) = alerts(machine)
    assert alert["detail"] == {"file": file(machine).file.name, "reason": "not read by the importer yet"}
    assert file(machine).alerted_at is not None


def test_the_alert_is_over_when_the_file_is_read(machine: Machine) -> None:
    uploaded(machine)
    machine.clock.advance(LONG + 1.0)
    maintain(machine.line)
    assert file(machine).alerted_at is not None
    machine.imports.read_all()
    machine.clock.advance(600.0)
    maintain(machine.line)
    assert file(machine).alerted_at is None
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1


def test_a_file_server_that_is_away_raises_one_after_the_time_counted_from_the_end_of_the_outage(
    machine: Machine,
) -> None:
    """While the API is away nobody expects the file to be uploaded."""
    machine.faults.files = "refused"
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    machine.clock.advance(2 * LONG)
    answering(machine)
    assert alerts(machine) == []
    machine.clock.advance(LONG + 1.0)
    maintain(machine.line)
    assert len(alerts(machine)) == 1


def test_a_password_the_file_server_does_not_take_raises_one_at_once(machine: Machine) -> None:
    """Waiting does not fix it. The files stay, and are uploaded once the password is right."""
    machine.faults.files = "denied"
    take(machine, sale(1, {"externalId": "4711"}))
    outage(machine)
    answering(machine)
    (alert,) = alerts(machine)
    assert "password" in alert["detail"]["reason"]
    machine.faults.files = "ok"
    back(machine)
    assert machine.line.journal.receipts.counts()["delivered"] == 1
