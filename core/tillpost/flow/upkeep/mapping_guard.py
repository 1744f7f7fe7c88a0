"""Guard: with a new mapping nothing is sent until a person has released it. The first receipts are held, to be looked
at; those behind wait on the line.

Closed, the guard keeps the API route (deliver.claim), new files (write_files) and files written anew (review,
reconcile) from
mapping anything that would leave. Open, it costs the look at one attribute.
"""

from __future__ import annotations

import attrs

from tillpost.errors import DocumentError, InvalidValue, PluginError
from tillpost.flow.leases import Duty
from tillpost.flow.line import Line
from tillpost.journal import Entry, KnownMapping, Move, State
from tillpost.journal.tables.mappings import reason_of
from tillpost.model import Broken, Document, Found, Identifier, NoReceipt, Parsed

PLACEHOLDER_CONTACT = Identifier("contactId", "00000000-0000-0000-0000-000000000000")
"""Stands for the contactId that `resolve` would find."""
_GROUP = 500
"""Records read again in one commit."""
_LOOK = 1000
"""Due receipts among which the ones to hold are looked for."""


def start(line: Line) -> None:
    """Before the first thread: whether this mapping is a new one. The guard is closed then.

    What was read with one that nobody released is read again from its records: it may have been read wrongly.
    """
    guard = line.guard
    if guard.fingerprint:
        before = line.journal.mappings.awaiting_release()
        if before is not None and before.fingerprint != guard.fingerprint:
            _read_again(line, before)
        known = line.journal.mappings.activate(guard.fingerprint, guard.what, guard.hold, line.clock.time())
        guard.load(known)


def run_round(line: Line) -> int:
    """While it is closed: open it when the mapping was released meanwhile, else hold what there is room for.

    How many receipts were held.
    """
    guard = line.guard
    if not guard.closed:
        return 0
    standing = line.journal.mappings.awaiting_release()
    if standing is None or standing.fingerprint != guard.fingerprint:
        guard.closed = standing is not None
        return 0
    guard.load(standing)
    if not line.duties.holds(Duty.MAPPING_GUARD):
        return 0
    mine = line.claims.claim((entry.seq for entry in _next(line)), guard.remaining())
    try:
        fresh = line.journal.receipts.refresh(mine)
        moves = [(entry.seq, _try_mapping(line, entry)) for entry in fresh]
        if moves:
            line.journal.mappings.hold(guard.fingerprint, moves, line.clock.time())
            guard.count += len(moves)
    finally:
        line.claims.release(mine)
    return len(moves)


def _read_again(line: Line, before: KnownMapping) -> None:
    after = 0
    while rows := line.journal.mappings.unsent(before, after, _GROUP):
        read = [(seq, _parsed(line, seq, document)) for seq, document in rows]
        line.journal.mappings.replace_receipts(read, line.anonymous, line.clock.time())
        after = rows[-1][0]


def _parsed(line: Line, seq: int, name: str) -> Parsed:
    """The record of this row as today's adapter reads it."""
    raw = line.journal.bodies.raw(seq)
    try:
        parsed = next(line.hooks.parse_receipts(Document.from_bytes(name, raw)), None)
        old = line.journal.bodies.get(seq)
    except (DocumentError, InvalidValue, PluginError) as error:
        return Broken(reason=str(error), place="", raw=raw)
    if parsed is None:
        return NoReceipt(reason="read again it is no receipt", place="", retail=True)
    if isinstance(parsed, Found):
        # Where it stands in its document is not told by its record alone.
        return attrs.evolve(parsed, receipt=attrs.evolve(parsed.receipt, raw=old.raw))
    return parsed


def is_waiting(line: Line) -> bool:
    """Whether it is closed and has nothing left to do but to wait for a person."""
    return line.guard.closed and (not line.guard.remaining() or not _next(line))


def _next(line: Line) -> list[Entry]:
    """Receipts to hold, in order: those accepted with the new mapping show more of it than those that waited.

    One that may be with the destination is none of them: it must be asked for before anything else becomes of it.
    """
    now = line.clock.time()
    due = line.journal.receipts.just_accepted(line.guard.since, now, line.guard.first)
    due += line.journal.receipts.due(now, _LOOK)
    return [entry for entry in due if entry.state is not State.UNCERTAIN and entry.sending is None]


def _try_mapping(line: Line, entry: Entry) -> Move:
    """It is mapped, so that what the mapping cannot do shows now, and held whatever came of it."""
    said = "`tillpost mapping release` sends it, or put the configuration back"
    try:
        with line.journal.crash_marks.holding(entry.seq):
            receipt = line.journal.bodies.get(entry.seq)
            contact = line.journal.contacts.get(entry.contact) if entry.contact else None
            match = (
                Identifier("contactId", contact.contact_id) if contact and contact.contact_id else PLACEHOLDER_CONTACT
            )
            line.hooks.amend_payload(line.hooks.map_receipt(receipt, match), receipt)
    except (InvalidValue, PluginError) as error:
        said = f"it cannot map this receipt: {error}"
    reason = reason_of(line.guard.fingerprint) + said
    return Move(state=State.HELD, attempts=entry.attempts, reason=reason)
