"""Receipts that are given to the journal of another pipeline: inserted there first, then skipped here."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from typing import Any

import attrs

from tillpost.errors import InvalidValue
from tillpost.journal.database import Table, Transaction, first
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import GIVEN_AWAY, MOVES, OPEN, State
from tillpost.journal.tables import contact_links, counters, events
from tillpost.journal.tables.taken_ids import MOVED
from tillpost.model import Customer
from tillpost.model.identifier_rules import IdentifierRules
from tillpost.model.receipt_json import content_digest, loads

_WAITING = (*OPEN, State.WRITTEN, State.TRANSFERRED, State.HELD)
_BESIDE = ("voids", "no_receipts", "day_totals")
_DOCUMENT = (
    "sha256", "name", "source", "size", "state", "reason", "place", "first_at", "last_at", "due", "records",
    "receipts", "again", "ignored", "skipped", "broken", "failures", "crashes",
)  # fmt: skip
_AWAY = {state: MOVES[state] | GIVEN_AWAY.get(state, frozenset()) for state in MOVES}
_STAYS = (State.HELD, State.SKIPPED)
_COLUMNS = (
    "id", "number", "store", "till", "business_date", "created", "currency", "total", "line_count", "reason",
    "document", "place", "accepted_at",
)  # fmt: skip


@attrs.frozen(kw_only=True)
class Waiting:
    """A receipt as it is given away. columns: its row.

    state: accepted when it never left, uncertain when it may have, held, or skipped. body: None for one that cannot be
    read.
    """

    seq: int
    columns: tuple[Any, ...]
    state: State
    body: bytes | None
    checksum: bytes
    raw: bytes

    @property
    def id(self) -> str:
        """Its id."""
        return str(self.columns[0])


@attrs.frozen(kw_only=True)
class Notes:
    """rows: of the tables of voids, of records that are no receipt, and of the totals of tills. documents: each that
    was read or set aside, its content before the columns."""

    rows: Mapping[str, Sequence[tuple[Any, ...]]]
    documents: Sequence[tuple[Any, ...]]


class Moved(Table):
    """Reads and inserts receipts that change their journal. rules: how identifiers are read."""

    rules = IdentifierRules()

    def waiting(self, after: int, limit: int) -> list[Waiting]:
        """The next receipts that wait here. What stands beside a receipt of its id stays with that one."""
        marks = ", ".join("?" * len(_WAITING))
        found = []
        where = f"r.state IN ({marks}) AND r.id NOT LIKE '%#%' AND r.seq > ?"
        for waiting, state, sending, file, attempts in self._read(where, *_WAITING, after, limit):
            left = state in (State.UNCERTAIN, State.TRANSFERRED) or sending is not None
            left = left or (state == State.WRITTEN and (file != "written" or bool(attempts)))
            to = State.HELD if state == State.HELD else State.UNCERTAIN if left else State.ACCEPTED
            found.append(attrs.evolve(waiting, state=to))
        return found

    def all(self, after: int, limit: int) -> list[Waiting]:
        """The next receipts, whatever their state: held and skipped ones stay so, any other may have left."""
        return [
            attrs.evolve(each, state=State(state)) if state in (State.HELD, State.SKIPPED) else each
            for each, state, *_ in self._read("r.seq > ?", after, limit)
        ]

    def _read(self, where: str, *values: Any) -> Iterator[tuple[Any, ...]]:
        rows = self._database.read(
            f"SELECT r.seq, {', '.join(f'r.{name}' for name in _COLUMNS)}, r.state, r.sending, f.state, f.attempts,"  # noqa: S608 - ours
            " b.body, b.checksum, b.raw FROM receipts r JOIN bodies b USING (seq) LEFT JOIN files f ON f.name = r.file"
            f" WHERE {where} ORDER BY r.seq LIMIT ?",
            values,
        )
        for seq, *columns, state, sending, file, attempts, body, checksum, raw in rows:
            row = Waiting(seq=seq, columns=tuple(columns), state=State.UNCERTAIN, body=body, checksum=checksum, raw=raw)
            yield row, state, sending, file, attempts

    def take_over(
        self, waiting: Sequence[Waiting], anonymous: Customer | None, due: float, now: float
    ) -> Mapping[str, str]:
        """Insert receipts of another journal, in one commit; id → why one was not taken over. What is skipped there,
        and was put in doubt here by a restore, is skipped here as well.

        due: when the destination is asked about those that may have left.
        """

        def work(transaction: Transaction) -> dict[str, str]:
            last = int(first(transaction.execute("SELECT max(seq) FROM receipts")) or 0)
            refused: dict[str, str] = {}
            seq = last
            for each in waiting:
                if (here := _here(transaction, each)) is not None:
                    refused |= {each.id: here} if here else {}
                    if not here and each.state is State.SKIPPED:
                        _skip(transaction, each, now)
                    continue
                seq += 1
                _insert(transaction, each, seq, anonymous, self.rules, due, now)
            counters.count_inserted_behind(transaction, last)
            return refused

        return self._database.write(work)

    def notes(self) -> Notes:
        """What stands beside the receipts, to be given to a journal with `take_notes`."""
        own = {table: self._database.read(f"SELECT * FROM {table}") for table in _BESIDE}  # noqa: S608 - ours
        documents = self._database.read(
            f"SELECT content, {', '.join(_DOCUMENT)} FROM documents LEFT JOIN document_contents ON document = seq"  # noqa: S608 - ours
            " WHERE state IN ('read', 'set aside') ORDER BY seq"
        )
        return Notes(rows=own, documents=documents)

    def take_notes(self, notes: Notes) -> None:
        """Insert what is not here, in one commit."""

        def work(transaction: Transaction) -> None:
            for table, rows in notes.rows.items():
                marks = ", ".join("?" * len(rows[0])) if rows else ""
                transaction.executemany(f"INSERT INTO {table} VALUES ({marks}) ON CONFLICT DO NOTHING", rows)  # noqa: S608 - ours
            known = set(transaction.execute("SELECT sha256, name FROM documents"))
            names, marks = ", ".join(_DOCUMENT), ", ".join("?" * len(_DOCUMENT))
            for content, *row in notes.documents:
                if tuple(row[:2]) in known:
                    continue
                seq = first(
                    transaction.execute(f"INSERT INTO documents ({names}) VALUES ({marks}) RETURNING seq", row)  # noqa: S608 - ours
                )
                if content is not None:
                    transaction.execute("INSERT INTO document_contents VALUES (?, ?)", (seq, content))

        self._database.write(work)

    def give_away(self, seqs: Sequence[int], to: str, now: float) -> None:
        """Skip receipts that another pipeline has taken over, in one commit."""

        def work(transaction: Transaction) -> None:
            apply_moves(transaction, seqs, Move(state=State.SKIPPED, reason=MOVED), now, "move", _AWAY)
            events.record_all(transaction, now, "move", "moved", receipts=seqs, to=to)

        self._database.write(work)

    def left_behind(self) -> int:
        """How many held records stay, because they stand beside a receipt of their id."""
        rows = self._database.read("SELECT count(*) FROM receipts WHERE state = 'held' AND id LIKE '%#%'")
        return int(rows[0][0])


def _here(transaction: Transaction, each: Waiting) -> str | None:
    """None when its id is free here; "" when it is here with the same content; else why it cannot be taken over."""
    row = transaction.execute(
        "SELECT b.body, b.raw FROM receipts r JOIN bodies b USING (seq) WHERE r.id = ?", (each.id,)
    ).fetchone()
    if row is None:
        return None
    try:
        same = (
            row[1] == each.raw
            if each.body is None
            else content_digest(loads(row[0])) == content_digest(loads(each.body))
        )
    except (InvalidValue, TypeError):
        same = False
    return "" if same else "its id is here with other content"


def _skip(transaction: Transaction, each: Waiting, now: float) -> None:
    """Its till has voided it, or a person discarded it, after the backup. Only one that nothing has moved since."""
    (seq,) = transaction.execute("SELECT seq FROM receipts WHERE id = ?", (each.id,)).fetchone()
    last = transaction.execute("SELECT step FROM events WHERE receipt = ? ORDER BY seq DESC LIMIT 1", (seq,)).fetchone()
    if last == ("restore",):
        reason = str(dict(zip(_COLUMNS, each.columns, strict=True))["reason"])
        apply_moves(transaction, [seq], Move(state=State.SKIPPED, reason=reason), now, "move", _AWAY)


def _insert(
    transaction: Transaction,
    each: Waiting,
    seq: int,
    anonymous: Customer | None,
    rules: IdentifierRules,
    due: float,
    now: float,
) -> None:
    contact = None
    if each.body is not None:
        receipt = loads(each.body)
        customer = contact_links.customer_of(receipt, anonymous, rules)
        if customer is not None:
            at = contact_links.stated_at(receipt, now)
            contact = contact_links.find_or_create(transaction, customer, receipt.store, now, at)
    state, columns = each.state, dict(zip(_COLUMNS, each.columns, strict=True))
    if contact is None and state not in _STAYS:
        why = "no customer here: it was sent to the `anonymous` of its earlier pipeline"
        state, columns["reason"] = State.HELD, why if each.body is not None else "its content is lost"
    elif state not in _STAYS:
        columns["reason"] = ""
    names = ", ".join((*columns, "seq", "state", "due", "contact", "changed_at"))
    when = 0.0 if state in _STAYS else due if state is State.UNCERTAIN else now
    transaction.execute(
        f"INSERT INTO receipts ({names}) VALUES ({', '.join('?' * (len(columns) + 5))})",  # noqa: S608 - ours
        (*columns.values(), seq, state, when, contact, now),
    )
    transaction.execute("INSERT INTO bodies VALUES (?,?,?,?)", (seq, each.body, each.checksum, each.raw))
    events.record(transaction, now, "move", state, receipt=seq, reason=columns["reason"], document=columns["document"])
