"""The mapping guard: with a new mapping nothing is sent until a person has released it.

The first receipts are held, so that a person can look at them; the others wait. While the guard is closed, no step
maps anything that would be sent: deliveries (deliver.claim), new files (write_files), and files that are written again
(review, reconcile). An open guard costs the check of one attribute.
"""

from __future__ import annotations

import attrs

from tillpost.errors import DocumentError, InvalidValue, PluginError
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.flow.retry_policy import hold
from tillpost.flow.trials import Verdict, blame, try_suspects
from tillpost.journal import Entry, KnownMapping, Move, State
from tillpost.journal.tables.mappings import reason_of
from tillpost.model import Broken, Document, Found, Identifier, NoReceipt, Parsed

PLACEHOLDER_CONTACT = Identifier("contactId", "00000000-0000-0000-0000-000000000000")
"""Stands for the contactId that `resolve` would find."""
_GROUP = 500
"""Records read again in one commit."""
_SCAN = 1000
"""Due receipts among which those to hold are chosen."""


def start(line: Line) -> None:
    """Before the threads start, close the guard when this mapping is a new one.

    Unsent receipts that were read with a mapping nobody released are read again from their records.
    """
    guard = line.guard
    if guard.fingerprint:
        previous = line.journal.mappings.awaiting_release()
        if previous is not None and previous.fingerprint != guard.fingerprint:
            _read_again(line, previous)
        guard.load(line.journal.mappings.activate(guard.fingerprint, guard.what, guard.hold, line.clock.time()))


def run_round(line: Line) -> int:
    """Open a closed guard whose mapping was released, or else hold some receipts; how many were held."""
    guard = line.guard
    if not guard.closed:
        return 0
    waiting = line.journal.mappings.awaiting_release()
    if waiting is None or waiting.fingerprint != guard.fingerprint:
        guard.closed = waiting is not None
        return 0
    guard.load(waiting)
    if not line.duties.holds(Duty.MAPPING_GUARD):
        return 0
    claimed = line.claims.claim((entry.seq for entry in _candidates(line)), guard.remaining())
    try:
        fresh = line.journal.receipts.refresh(claimed)
        verdicts = try_suspects(line.trials, "map", fresh)
        moves = [(entry.seq, _try_mapping(line, entry, verdicts.get(entry.seq))) for entry in fresh]
        if moves:
            line.journal.mappings.hold(guard.fingerprint, moves, line.clock.time())
            guard.count += len(moves)
    finally:
        line.claims.release(claimed)
    return len(moves)


def _read_again(line: Line, previous: KnownMapping) -> None:
    after = 0
    while rows := line.journal.mappings.unsent(previous, after, _GROUP):
        read = [(seq, _parse_again(line, seq, document)) for seq, document in rows]
        line.journal.mappings.replace_receipts(read, line.anonymous, line.clock.time())
        after = rows[-1][0]


def _parse_again(line: Line, seq: int, name: str) -> Parsed:
    """The record of this row as the adapter reads it now."""
    raw = line.journal.bodies.raw(seq)
    try:
        parsed = next(line.hooks.parse_receipts(Document.from_bytes(name, raw)), None)
        old = line.journal.bodies.get(seq)
    except (DocumentError, InvalidValue, PluginError) as error:
        return Broken(reason=str(error), place="", raw=raw)
    if parsed is None:
        return NoReceipt(reason="read again, the record is not a sale", place="", retail=True)
    if isinstance(parsed, Found):
        # The record alone does not say where in its document it is.
        return attrs.evolve(parsed, receipt=attrs.evolve(parsed.receipt, raw=old.raw))
    return parsed


def is_waiting(line: Line) -> bool:
    """Whether the guard is closed and has nothing left to do but wait for a person."""
    return line.guard.closed and (not line.guard.remaining() or not _candidates(line))


def _candidates(line: Line) -> list[Entry]:
    """Receipts to hold, in order: those accepted with the new mapping show more of it than those that waited.

    A receipt that may have been sent is not among them: the destination must be asked about it first.
    """
    now = line.clock.time()
    due = line.journal.receipts.just_accepted(line.guard.since, now, line.guard.first)
    due += line.journal.receipts.due(now, _SCAN)
    return [entry for entry in due if entry.state is not State.UNCERTAIN and entry.sending is None]


def _try_mapping(line: Line, entry: Entry, verdict: Verdict | None) -> Move:
    """Map the receipt, so that what the mapping cannot do shows now, and hold it whatever the result."""
    advice = "`tillpost mapping release` sends it, or restore the configuration"
    if verdict is not None and verdict.died:
        return hold(entry, reason_of(line.guard.fingerprint) + blame("maps it", verdict))
    try:
        with line.journal.crash_marks.holding(entry.seq):
            receipt = line.journal.bodies.get(entry.seq)
            contact_id = line.journal.contacts.get(entry.contact).contact_id if entry.contact else ""
            match = Identifier("contactId", contact_id) if contact_id else PLACEHOLDER_CONTACT
            line.hooks.amend_payload(line.hooks.map_receipt(receipt, match), receipt)
    except (InvalidValue, PluginError) as error:
        advice = f"it cannot map this receipt: {error}"
    return hold(entry, reason_of(line.guard.fingerprint) + advice)
