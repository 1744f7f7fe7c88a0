"""Transfer: files go up once the far side answers again, contacts before the receipts that need them."""

from __future__ import annotations

from tillpost.flow.line import Line
from tillpost.flow.policy import wait
from tillpost.journal import OPEN_FILES, FileState, Later
from tillpost.model import Delivered, MaybeSent, Misconfigured, NotSent, Refused, Throttled


def transfer(line: Line) -> int:
    """Send what is due, in order; stops at the first failure. How many files went up."""
    if line.transfer is None or line.fallback is None or not line.gate.open():
        return 0
    sent = 0
    # Engage ignores a receipt whose contact it does not know yet (Engage contract, file import): files of contacts
    # of this batch or an earlier one must be confirmed first.
    files = line.journal.files.standing(*OPEN_FILES)
    unconfirmed = next((standing.sequence for standing in files if standing.kind == "contacts"), None)
    for standing in files:
        now = line.clock.time()
        if standing.state is not FileState.WRITTEN:
            continue
        if standing.kind == "receipts" and unconfirmed is not None and unconfirmed <= standing.sequence:
            continue
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
                pause = wait(
                    entry.attempts + 1,
                    policy.wait_initial.total_seconds(),
                    policy.wait_max.total_seconds(),
                    line.random,
                )
                later = Later(name=standing.name, due=now + pause, attempts=entry.attempts + 1, reason=outcome.reason)
                line.journal.files.postpone([later])
                break
    return sent
