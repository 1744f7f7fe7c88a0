"""The mappings a pipeline has used: what decides the payload of a receipt, and whether a person has released it."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tillpost.errors import UsageError
from tillpost.journal.database import Table, Transaction, first
from tillpost.journal.moves import IN_HAND, Move, apply_moves
from tillpost.journal.states import State
from tillpost.journal.tables import contact_links, events
from tillpost.model import Customer, Found, IdentifierRules, NoReceipt, Parsed
from tillpost.model.receipt_json import dumps

NEW_MAPPING = "new mapping "
_COLUMNS = "fingerprint, what, first_at, since, released_at, held"


@attrs.frozen(kw_only=True)
class KnownMapping:
    """A mapping, by its fingerprint.

    what: plugins, their versions and settings, without secrets. first_at: when the pipeline first used it; since: when
    it last began to; released_at: since when its receipts may be sent, None while they may not. held: on how many
    receipts it was tried before its release.
    """

    fingerprint: str
    what: Mapping[str, Any] = attrs.field(repr=False, hash=False)
    first_at: float
    since: float
    released_at: float | None
    held: int


def reason_of(fingerprint: str) -> str:
    """How the reason of a receipt begins that is held until its mapping is released."""
    return f"{NEW_MAPPING}{fingerprint}: "


class Mappings(Table):
    """The table of mappings. rules: how identifiers of receipts that are read again are read."""

    rules = IdentifierRules()

    def all(self) -> list[KnownMapping]:
        """Every mapping; the last one is in use."""
        rows = self._database.read(f"SELECT {_COLUMNS} FROM mappings ORDER BY since, first_at")  # noqa: S608 - ours
        return [self._known(row) for row in rows]

    def current(self) -> KnownMapping | None:
        """The mapping in use; None before the first start."""
        return next(reversed(self.all()), None)

    def awaiting_release(self) -> KnownMapping | None:
        """The mapping in use when it waits for its release; None when receipts may be sent."""
        current = self.current()
        return None if current is None or current.released_at is not None else current

    def activate(self, fingerprint: str, what: Mapping[str, Any], hold: bool, now: float) -> KnownMapping:
        """The pipeline starts with this mapping. hold: a new one has to be released first.

        The first mapping of a journal is released at once, because it differs from none. Receipts held for the release
        of another mapping are accepted again, because that mapping is no longer in use.
        """

        def work(transaction: Transaction) -> None:
            rows: list[Any] = list(transaction.execute("SELECT fingerprint, released_at, since FROM mappings"))
            known = {row[0]: row[1] for row in rows}
            latest = max((row[2] for row in rows), default=now)
            before = max(rows, key=lambda row: row[2])[0] if rows else ""
            released = known.get(fingerprint)
            if released is None and (not hold or not known):
                released = now
            if fingerprint != before:
                if fingerprint not in known:
                    transaction.execute(
                        "INSERT INTO mappings VALUES (?,?,?,?,?,0)",
                        (fingerprint, json.dumps(what, sort_keys=True), now, now, released),
                    )
                events.record(
                    transaction, now, "mapping", "changed", mapping=fingerprint, released=released is not None
                )
                # It must be the latest one, also after the clock was set back.
                since = max(now, latest + 1e-3) if rows else now
                transaction.execute(
                    "UPDATE mappings SET since = ?, held = 0 WHERE fingerprint = ?", (since, fingerprint)
                )
            transaction.execute("UPDATE mappings SET released_at = ? WHERE fingerprint = ?", (released, fingerprint))
            others = [other for other in known if other != fingerprint]
            for each in [*others, *([fingerprint] if released is not None else [])]:
                _put_back(transaction, each, "another mapping" if each != fingerprint else "mapping released", now)

        self._database.write(work)
        current = self.current()
        assert current is not None
        return current

    def hold(self, fingerprint: str, moves: Iterable[tuple[int, Move]], now: float) -> None:
        """Hold receipts the mapping was tried on, and count them; does nothing when it has been released."""
        listed = list(moves)

        def work(transaction: Transaction) -> None:
            if first(transaction.execute("SELECT released_at FROM mappings WHERE fingerprint = ?", (fingerprint,))):
                return
            for seq, move in listed:
                apply_moves(transaction, [seq], move, now, "mapping", among=IN_HAND)
            transaction.execute("UPDATE mappings SET held = held + ? WHERE fingerprint = ?", (len(listed), fingerprint))

        self._database.write(work)

    def held(self, fingerprint: str) -> int:
        """The number of receipts that are held until this mapping is released."""
        return len(self.held_ids(fingerprint))

    def held_ids(self, fingerprint: str) -> list[str]:
        """Their ids, in order of acceptance."""
        rows = self._database.read(
            "SELECT id FROM receipts INDEXED BY receipts_state WHERE state = 'held' AND route = ''"
            " AND substr(reason, 1, ?1) = ?2 ORDER BY seq",
            (len(reason_of(fingerprint)), reason_of(fingerprint)),
        )
        return [str(row[0]) for row in rows]

    def release(self, fingerprint: str, now: float) -> int:
        """Allow its receipts to be sent; returns how many are no longer held.

        Raises UsageError when the journal does not know the mapping.
        """

        def work(transaction: Transaction) -> int:
            row = transaction.execute(
                "SELECT released_at FROM mappings WHERE fingerprint = ?", (fingerprint,)
            ).fetchone()
            if row is None:
                raise UsageError(f"the journal knows no mapping {fingerprint}; `tillpost mapping show` lists them")
            if row[0] is not None:
                return 0
            transaction.execute("UPDATE mappings SET released_at = ? WHERE fingerprint = ?", (now, fingerprint))
            events.record(transaction, now, "mapping", "released", mapping=fingerprint)
            return _put_back(transaction, fingerprint, "mapping released", now)

        return self._database.write(work)

    def unsent(self, mapping: KnownMapping, after: int, limit: int) -> list[tuple[int, str]]:
        """Receipts accepted since the last released mapping that wait or are held for this one: row and document.

        In order of acceptance.
        """
        beginning = reason_of(mapping.fingerprint)
        rows = self._database.read(
            "SELECT seq, document FROM receipts INDEXED BY receipts_state WHERE state IN ('accepted', 'held')"
            " AND route = '' AND seq > ?1 AND accepted_at >= (SELECT min(since) FROM mappings WHERE released_at IS NULL"
            " AND since > (SELECT max(since) FROM mappings WHERE released_at IS NOT NULL))"
            " AND (state = 'accepted' OR substr(reason, 1, ?2) = ?3) ORDER BY seq LIMIT ?4",
            (after, len(beginning), beginning, limit),
        )
        return [(int(seq), str(document)) for seq, document in rows]

    def replace_receipts(self, read: Iterable[tuple[int, Parsed]], anonymous: Customer | None, now: float) -> None:
        """Replace unsent receipts by what the present adapter reads from their records."""
        listed = list(read)

        def work(transaction: Transaction) -> None:
            for seq, parsed in listed:
                _replace(transaction, seq, parsed, anonymous, now, self.rules)

        self._database.write(work)

    def _known(self, row: tuple[Any, ...]) -> KnownMapping:
        try:
            what = json.loads(row[1])
        except (TypeError, ValueError):
            raise self._database.damaged(f"table mappings, row {row[0]}: what makes no sense") from None
        return KnownMapping(
            fingerprint=str(row[0]), what=what, first_at=row[2], since=row[3], released_at=row[4], held=row[5]
        )


def _put_back(transaction: Transaction, fingerprint: str, reason: str, now: float) -> int:
    """Accept the receipts again that are held until the release of a mapping; returns their number."""
    beginning = reason_of(fingerprint)
    rows: list[Any] = transaction.execute(
        "SELECT seq FROM receipts INDEXED BY receipts_state WHERE state = 'held' AND route = ''"
        " AND substr(reason, 1, ?) = ?",
        (len(beginning), beginning),
    ).fetchall()
    if rows:
        move = Move(state=State.ACCEPTED, due=now, reason=reason)
        apply_moves(transaction, [row[0] for row in rows], move, now, "mapping")
    return len(rows)


def _replace(
    transaction: Transaction, seq: int, parsed: Parsed, anonymous: Customer | None, now: float, rules: IdentifierRules
) -> None:
    state, identity = transaction.execute("SELECT state, id FROM receipts WHERE seq = ?", (seq,)).fetchone()
    if state not in (State.ACCEPTED, State.HELD):
        return

    def move(to: State, reason: str) -> None:
        due = now if to is State.ACCEPTED else 0.0
        apply_moves(transaction, [seq], Move(state=to, due=due, reason=reason), now, "mapping")

    if not isinstance(parsed, Found):
        move(State.SKIPPED if isinstance(parsed, NoReceipt) else State.HELD, parsed.reason)
        return
    receipt = parsed.receipt
    if receipt.id != identity and transaction.execute("SELECT 1 FROM receipts WHERE id = ?", (receipt.id,)).fetchone():
        move(State.HELD, f"read again it has the id of another receipt: {receipt.id}")
        return
    known = contact_links.customer_of(receipt, anonymous, rules)
    at = contact_links.stated_at(receipt, now)
    contact = contact_links.find_or_create(transaction, known, receipt.store, now, at) if known is not None else None
    transaction.execute(
        "UPDATE receipts SET id = ?, number = ?, store = ?, till = ?, business_date = ?, created = ?, currency = ?,"
        " total = ?, line_count = ?, contact = ? WHERE seq = ?",
        (
            receipt.id, receipt.number, receipt.store, receipt.till, receipt.business_date.isoformat(),
            receipt.created.isoformat(), receipt.currency, str(receipt.total), len(receipt.lines), contact, seq,
        ),
    )  # fmt: skip
    body = dumps(receipt)
    transaction.execute(
        "UPDATE bodies SET body = ?, checksum = ? WHERE seq = ?", (body, hashlib.sha256(body).digest(), seq)
    )
    events.record(transaction, now, "mapping", "read again", receipt=seq)
    if contact is None:
        move(State.SKIPPED, "no customer")
    elif state == State.HELD:
        move(State.ACCEPTED, "read again")
