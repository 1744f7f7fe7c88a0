"""Held receipts: a person has one sent again, corrects it, answers it by a return, or discards it.

No way sends a sale under a second id: what the destination has, or may have, is repeated under its own id, which the
destination ignores, or is taken back by a return.
"""

from __future__ import annotations

from collections.abc import Mapping
from datetime import datetime
from itertools import count
from typing import TYPE_CHECKING

import attrs

from tillpost.errors import InvalidValue, JournalError, UsageError
from tillpost.journal import Entry, Journal, State
from tillpost.journal.tables.held import VOID
from tillpost.journal.tables.taken_ids import CHANGED_LATE
from tillpost.model import Broken, Customer, Document, Found
from tillpost.model.correction import corrected, reversal
from tillpost.model.identity import MakeId

if TYPE_CHECKING:
    from tillpost.flow.line import Line

_BROKEN = "broken_"


def take_effect(line: Line) -> int:
    """A step of the upkeep: held voids and corrections of receipts that turned out never to have left."""
    return line.journal.held.take_effect(line.anonymous, line.clock.time())


def retry(line: Line, receipt_id: str) -> str:
    """Queue a held receipt again; what became of it. A record that could not be read is parsed again.

    Raises UsageError when it is not held or never can be sent, InvalidValue when it still cannot be read, JournalError
    when it cannot go now.
    """
    journal = line.journal
    entry = _held(journal, receipt_id)
    now = line.clock.time()
    if "#" in receipt_id:
        why = "it takes back what was sent" if receipt_id.endswith(VOID) else "its id belongs to other content"
        raise UsageError(f"{receipt_id} is not sent: {why}; {_ways(entry)}")
    if not receipt_id.startswith(_BROKEN) and journal.bodies.is_readable(entry.seq):
        journal.held.retry(entry, None, now)
        return "queued again"
    document = Document.from_bytes(entry.document, journal.bodies.raw(entry.seq))
    parsed = list(line.hooks.parse_receipts(document))
    if not parsed:
        return "still held: its record is empty"
    for each in parsed:
        if isinstance(each, Broken):
            raise InvalidValue(_still_broken(entry, each))
    found = [each for each in parsed if isinstance(each, Found)]
    own = next((each for each in found if each.receipt.id == receipt_id), None)
    if own is not None:
        journal.held.retry(entry, own, now)
    else:
        journal.held.read_again(entry, found, document, line.anonymous, now)
    return f"read as {', '.join(each.receipt.id for each in found) or 'no sale'}"


def correct(
    journal: Journal,
    receipt_id: str,
    values: Mapping[str, str],
    given: bytes | None,
    make_id: MakeId,
    anonymous: Customer | None,
    now: float,
) -> str:
    """Send a held receipt with other content, under its own id; what became of it.

    values: path → value, such as `customer.email`. given: a whole receipt as JSON instead of what the till wrote.
    Without either, the till's own correction takes the place of the receipt it corrects. Raises UsageError,
    InvalidValue when the result is no receipt, JournalError when it may not be sent.
    """
    entry = _held(journal, receipt_id)
    if receipt_id.endswith(VOID):
        raise UsageError(f"{receipt_id} is a void and has no content; {_ways(entry)}")
    broken = receipt_id.startswith(_BROKEN)
    if given is None and not values and "#" not in receipt_id:
        raise UsageError("say what is to be corrected: --set PATH=VALUE, or --from FILE with the whole receipt")
    if given is None and not journal.bodies.is_readable(entry.seq):
        raise UsageError(f"the content of {receipt_id} cannot be read; give the whole receipt with --from FILE")
    before = None if given is not None else journal.bodies.get(entry.seq)
    document = Document.from_bytes(entry.document, journal.bodies.raw(entry.seq))
    receipt = corrected(before, given, values, document, entry.place, make_id)
    if broken:
        found = Found(receipt=receipt, raw=journal.bodies.raw(entry.seq))
        journal.held.read_again(entry, [found], document, anonymous, now, by_hand=True)
        return f"corrected, and accepted as {receipt.id}"
    identity = receipt_id.partition("#")[0]
    if given is not None and receipt.id != identity:
        raise UsageError(f"the receipt has the id {receipt.id}; leave out `id`, or give {identity}")
    left = journal.held.correct(entry, receipt, sorted(values) or ["all"] * (given is not None), anonymous, now)
    if left:
        return f"corrected, and queued as {identity}; what the destination may have had under this id before, it keeps"
    return f"corrected, and queued as {identity}"


def send_return(journal: Journal, receipt_id: str, reason: str, anonymous: Customer | None, now: float) -> list[str]:
    """Answer a void, or a change, of a delivered receipt: its return, and for a change the new content as a sale.

    Returns the ids of the new receipts. Raises UsageError for any other receipt, JournalError until it is delivered.
    """
    entry = _held(journal, receipt_id)
    voided = receipt_id.endswith(VOID)
    if "#" not in receipt_id:
        raise UsageError(f"{receipt_id} takes nothing back that was delivered; `tillpost held retry` sends it")
    standing = receipt_id.partition("#")[0]
    while journal.receipts.get(f"{standing}_corrected") is not None:
        standing = f"{standing}_corrected"
    before = journal.receipts.get(standing)
    if before is None or before.state is not State.DELIVERED:
        state = "no longer in the journal" if before is None else before.state
        raise JournalError(
            f"{standing} is {state}, so there is nothing to return yet; {receipt_id} stays held. {_ways(entry)}"
        )
    sold = journal.bodies.get(before.seq)
    receipts = [reversal(sold, f"{standing}_return", datetime.fromtimestamp(now, sold.created.tzinfo))]
    if journal.receipts.get(receipts[0].id) is not None:
        raise JournalError(f"{standing} was returned already, by {receipts[0].id}; discard {receipt_id}")
    if not voided:
        receipts.append(attrs.evolve(journal.bodies.get(entry.seq), id=f"{standing}_corrected"))
    journal.held.answer(entry, receipts, reason, anonymous, now, delivered=standing)
    return [receipt.id for receipt in receipts]


def send_apart(journal: Journal, receipt_id: str, reason: str, anonymous: Customer | None, now: float) -> str:
    """Send what is held beside a receipt as a sale of its own; its id. A person knows that they are two sales.

    Raises UsageError for any other receipt.
    """
    entry = _held(journal, receipt_id)
    if "#" not in receipt_id or receipt_id.endswith(VOID):
        raise UsageError(f"{receipt_id} is not held beside another receipt; `tillpost held retry` sends it")
    identity = next(
        each for n in count(2) if journal.receipts.get(each := f"{receipt_id.partition('#')[0]}_{n}") is None
    )
    receipt = attrs.evolve(journal.bodies.get(entry.seq), id=identity)
    journal.held.answer(entry, [receipt], reason, anonymous, now)
    return identity


def discard(journal: Journal, receipt_id: str, reason: str, now: float) -> None:
    """Never send a held receipt; it stays in the journal with the reason. Raises UsageError when it is not held."""
    journal.held.discard(_held(journal, receipt_id), reason, now)


def _held(journal: Journal, receipt_id: str) -> Entry:
    entry = journal.receipts.get(receipt_id)
    if entry is None or entry.state is not State.HELD:
        raise UsageError(f"{receipt_id} is not held; `tillpost held list` shows what is")
    return entry


def _ways(entry: Entry) -> str:
    """What a person can do with a record that stands beside the receipt of its id."""
    ways = [f"`tillpost held return {entry.id} --reason ...` sends a return of what was delivered"]
    if not entry.id.endswith(VOID):
        ways[0] += " and the new content as a sale of its own"
        if not entry.reason.startswith(CHANGED_LATE):
            ways.insert(
                0, f"`tillpost held correct {entry.id}` sends it in the place of what has its id, if that is unsent"
            )
        ways.append(f"`tillpost held correct {entry.id} --other-sale` sends it beside that, if they are two sales")
    ways.append(f"`tillpost held discard {entry.id} --reason ...` leaves things as they are")
    return "; ".join(ways)


def _still_broken(entry: Entry, broken: Broken) -> str:
    """Why a record cannot be read today. It is read by itself here, and its place is the one in its document."""
    fault = broken.reason
    if broken.place and fault.startswith(broken.place):
        fault = entry.place + fault[len(broken.place) :]
    return (
        f"{entry.id} stays held, it cannot be read with today's settings: {fault}. Set what it needs in the adapter and"
        " retry; or give the receipt yourself with `tillpost held correct --from FILE`; or discard it"
    )
