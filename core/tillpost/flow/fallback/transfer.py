"""Transfer: files go up once the destination answers again, contacts before the receipts that need them.

With `when = "asap"` they go as soon as the file server answers, whatever the API does.
"""

from __future__ import annotations

from tillpost.flow.fallback.stuck_files import alert_if_stuck
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import backoff
from tillpost.journal import FileState, Later, Standing
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Refused, Throttled


def transfer(line: Line) -> int:
    """Send what is due, in order; stops at the first failure. How many files went up."""
    if line.transfer is None or line.fallback is None or not may_transfer(line):
        return 0
    sent = 0
    # Engage ignores a receipt whose contact it does not know yet (Engage contract, file import): files of contacts
    # of this batch or an earlier one must be confirmed first.
    contacts = line.journal.files.unconfirmed_contacts()
    unconfirmed = next((standing.sequence for standing in contacts if not _imported(standing, line)), None)
    # Contacts are looked up before their file goes up; while the API is away nobody can.
    for standing in line.journal.files.to_go_up(before=unconfirmed, unreviewed=not line.breaker.allows_requests()):
        now = line.clock.time()
        if standing.due > now:
            break  # the file server has failed a moment ago: its next time is this file's
        entry = line.journal.files.get(standing.name)
        outcome = line.hooks.transfer(entry.file)
        now = line.clock.time()
        match outcome:
            case Delivered():
                line.journal.files.move(entry, FileState.UPLOADED, now, due=now)
                sent += 1
            case NotSent() | MaybeSent() | Refused() | Misconfigured() | Throttled():
                policy = line.transfer
                pause = backoff(
                    entry.attempts + 1,
                    policy.wait_initial.total_seconds(),
                    policy.wait_max.total_seconds(),
                    line.random,
                )
                later = Later(name=standing.name, due=now + pause, attempts=entry.attempts + 1, reason=outcome.reason)
                line.journal.files.postpone([later])
                # Until the destination was back nobody expected it to go up. Wrong settings and a file that is refused
                # need a person at once: a host key that has changed is not trusted after three hours either.
                hopeless = isinstance(outcome, Misconfigured | Refused)
                alert_if_stuck(
                    line,
                    entry,
                    0.0 if hopeless else max(entry.written_at, line.breaker.destination.since),
                    outcome.reason,
                )
                break
    return sent


def may_transfer(line: Line) -> bool:
    """Whether the file server may be asked now."""
    return line.breaker.allows_requests() or (line.transfer is not None and line.transfer.when == "asap")


def _imported(standing: Standing, line: Line) -> bool:
    """While the API is away nobody confirms a contacts file. Engage deletes a file once it is processed (Engage
    contract, file import); `check_every` after it was found gone, its contacts are taken to be there."""
    assert line.fallback is not None
    if line.breaker.allows_requests() or standing.state is not FileState.CONSUMED or standing.consumed_at is None:
        return False
    return line.clock.time() - standing.consumed_at >= line.fallback.check_every.total_seconds()
