"""Checks of receipts and their bodies; a damaged row or body is restored from the other as far as possible."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterator
from decimal import Decimal, InvalidOperation
from typing import Any

import apsw

from tillpost.journal.sqlite.doctor.damage import Damage, Fix, decode_body, encode_row
from tillpost.journal.states import OPEN, State
from tillpost.journal.tables import contact_links, events
from tillpost.model import Receipt
from tillpost.model.receipt_json import content_digest

STATES = {str(state): state for state in State}
"""The states by their names."""
_OPEN = frozenset(map(str, OPEN))
_TEXTS = (
    "id", "number", "store", "till", "business_date", "created", "currency", "total", "state", "reason", "route",
    "file", "document", "place",
)  # fmt: skip
_NUMBERS = ("line_count", "due", "attempts", "accepted_at", "changed_at", "looks")
_MAYBE = ("sending", "delivered_at", "verified_at", "verify_due")
_COLUMNS = ["seq", *_TEXTS, *_NUMBERS, *_MAYBE, "contact"]
_LIST = ", ".join(f"r.{name}" for name in _COLUMNS)
_AGAIN = "`tillpost held retry {id}` reads it again from the record as the till wrote it"
_ACCEPT = "accept {document} again ({place}), or `tillpost held discard {id}`"


def examine(connection: apsw.Connection) -> Iterator[Damage]:
    """Find columns that make no sense, bodies that differ from their checksum, and rows that differ from their body."""
    for row in connection.execute(
        f"SELECT {_LIST}, b.body, b.checksum, b.raw, b.seq FROM receipts r LEFT JOIN bodies b USING (seq) ORDER BY seq"  # noqa: S608
    ):
        values = dict(zip(_COLUMNS, row, strict=False))
        body, checksum, raw, there = row[len(_COLUMNS) :]
        receipt = decode_body(body, checksum)
        if damage := _columns(values, receipt):
            yield damage
        elif body is None and there is not None:
            if not isinstance(raw, bytes) or hashlib.sha256(raw).digest() != checksum:
                yield _record(values, raw)
        elif receipt is None:
            yield _content(values, body, raw if isinstance(raw, bytes) else b"", there is not None)
        elif values["contact"] is None and values["state"] in _OPEN:
            yield _without_contact(values, receipt)


def _columns(values: dict[str, Any], receipt: Receipt | None) -> Damage | None:
    wrong = [name for name in _TEXTS if not isinstance(values[name], str)]
    wrong += [name for name in _NUMBERS if not isinstance(values[name], int | float)]
    wrong += [name for name in _MAYBE if not isinstance(values[name], int | float | None)]
    wrong += [] if isinstance(values["contact"], str | None) else ["contact"]
    wrong += [] if "state" in wrong or values["state"] in STATES else ["state"]
    if receipt is not None:
        known_values = _from_body(receipt)
        wrong += [
            name
            for name, value in known_values.items()
            if name not in wrong and not _is_same(name, values[name], value)
        ]
        own = isinstance(values["id"], str) and values["id"].partition("#")[0] == receipt.id.partition("#")[0]
        wrong += [] if own or "id" in wrong else ["id"]
    if not wrong:
        return None
    wrong += ["verify_due"] if "verified_at" in wrong and "verify_due" not in wrong else []
    identity = receipt.id if receipt else str(values["id"])
    return Damage(
        table="receipts", row=str(values["seq"]), receipt=identity, reason=f"makes no sense: {', '.join(wrong)}",
        lost="nothing that its content and its events do not have" if receipt else "part of the row",
        remedy="filled from its content and its events; held when they do not have its state",
        raw=encode_row(list(values), tuple(values.values())), fix=_fix_columns(values, receipt, tuple(wrong)),
    )  # fmt: skip


def _from_body(receipt: Receipt) -> dict[str, Any]:
    return {
        "number": receipt.number, "store": receipt.store, "till": receipt.till,
        "business_date": receipt.business_date.isoformat(), "created": receipt.created.isoformat(),
        "currency": receipt.currency, "total": str(receipt.total), "line_count": len(receipt.lines),
    }  # fmt: skip


def _is_same(name: str, stored: Any, meant: Any) -> bool:
    """Whether a column says what the content says, as values: `803`, `803.0` and `803.00` are one total."""
    if name == "total":
        try:
            return Decimal(stored) == Decimal(meant)
        except InvalidOperation:
            return False
    return bool(stored == meant)


def _fix_columns(values: dict[str, Any], receipt: Receipt | None, wrong: tuple[str, ...]) -> Fix:
    seq = values["seq"]

    def fix(connection: apsw.Connection, now: float) -> None:
        known_values: dict[str, Any] = (
            dict.fromkeys(_TEXTS, "") | dict.fromkeys(_NUMBERS, 0) | dict.fromkeys((*_MAYBE, "contact"))
        )
        known_values |= {"due": now, "accepted_at": now, "changed_at": now}
        if receipt is not None:
            known_values |= _from_body(receipt) | {"document": receipt.raw.document, "place": receipt.raw.place}
        known_values["id"] = _free_id(connection, receipt, seq)
        state, route, file = _last_state(connection, seq)
        known_values["verify_due"] = now if (state or values["state"]) == State.DELIVERED else None
        known_values |= {"state": state or State.HELD, "route": route, "file": file}
        connection.execute(
            f"UPDATE receipts SET {', '.join(f'{name} = ?' for name in wrong)} WHERE seq = ?",  # noqa: S608 - ours
            (*(known_values[name] for name in wrong), seq),
        )
        if "state" in wrong and state is None:
            hold(connection, seq, now, "its state was damaged in the journal; retrying it is safe: the id is the same")

    return fix


def _free_id(connection: apsw.Connection, receipt: Receipt | None, seq: int) -> str:
    if receipt is None:
        return f"damaged_{seq}"
    taken = connection.execute("SELECT 1 FROM receipts WHERE id = ? AND seq <> ?", (receipt.id, seq)).fetchone()
    return f"{receipt.id}#{content_digest(receipt)[:12]}" if taken else receipt.id


def _last_state(connection: apsw.Connection, seq: int) -> tuple[State | None, str, str]:
    """State, route and file by the events; the state is None when no event has one."""
    state, route, file = None, "", ""
    for what, detail in list(
        connection.execute("SELECT what, detail FROM events WHERE receipt = ? ORDER BY seq", (seq,))
    ):
        try:
            known_values = json.loads(detail)
        except (ValueError, TypeError, RecursionError):
            known_values = {}
        if what in STATES:
            state = STATES[what]
        elif what == "sending":
            state = State.UNCERTAIN  # it may have left
        if isinstance(known_values, dict):
            route, file = str(known_values.get("route") or route), str(known_values.get("file") or file)
    return state, route, file


def _content(values: dict[str, Any], body: object, raw: bytes, there: bool) -> Damage:
    state = values["state"]
    again = (_AGAIN if raw else _ACCEPT).format(**values)
    if state in (State.DELIVERED, State.SKIPPED):
        lost, remedy = f"its content; it is {state}, so nothing is missing elsewhere", "nothing to be done"
    elif state in (State.WRITTEN, State.TRANSFERRED):
        lost, remedy = "its content here; it is in its file", "nothing to be done"
    else:
        lost = "its content, unless the record can be read" if raw else "its content"
        remedy = f"held; {again}"
    known = f"store {values['store']}, number {values['number']}, total {values['total']} {values['currency']}"
    return Damage(
        table="bodies", row=str(values["seq"]), receipt=values["id"],
        reason=f"the checksum does not fit the body ({known})" if there else f"its content is missing ({known})",
        lost=lost, remedy=remedy, raw=body if isinstance(body, bytes) else encode_row(["body"], (body,)),
        fix=_fix_content(values, raw, again),
    )  # fmt: skip


def _fix_content(values: dict[str, Any], raw: bytes, again: str) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        connection.execute(
            "INSERT OR REPLACE INTO bodies (seq, body, checksum, raw) VALUES (?, NULL, ?, ?)",
            (values["seq"], hashlib.sha256(raw).digest(), raw),
        )
        if values["state"] in _OPEN:
            hold(connection, values["seq"], now, f"its content was damaged in the journal; {again}")

    return fix


def _record(values: dict[str, Any], raw: object) -> Damage:
    kept = raw if isinstance(raw, bytes) else b""

    def fix(connection: apsw.Connection, now: float) -> None:
        connection.execute(
            "UPDATE bodies SET raw = ?, checksum = ? WHERE seq = ?",
            (kept, hashlib.sha256(kept).digest(), values["seq"]),
        )

    return Damage(
        table="bodies", row=str(values["seq"]), receipt=values["id"], reason="the checksum does not fit the record",
        lost="part of a record that could not be read anyway", remedy=_ACCEPT.format(**values), raw=kept, fix=fix,
    )  # fmt: skip


def _without_contact(values: dict[str, Any], receipt: Receipt) -> Damage:
    def fix(connection: apsw.Connection, now: float) -> None:
        if (customer := contact_links.customer_of(receipt)) is not None:
            at = contact_links.stated_at(receipt, now)
            key = contact_links.find_or_create(connection, customer, receipt.store, now, at)
            connection.execute("UPDATE receipts SET contact = ? WHERE seq = ?", (key, values["seq"]))
        else:
            hold(connection, values["seq"], now, "its contact was damaged in the journal and its content names none")

    return Damage(
        table="receipts", row=str(values["seq"]), receipt=values["id"], reason="is open without a contact",
        lost="nothing, when its content names its customer", remedy="linked again, else held",
        raw=encode_row(list(values), tuple(values.values())), fix=fix,
    )  # fmt: skip


def hold(connection: apsw.Connection, seq: int, now: float, reason: str) -> None:
    """Hold a receipt, as the repair of its row."""
    connection.execute(
        "UPDATE receipts SET state = 'held', reason = ?, sending = NULL, changed_at = ? WHERE seq = ?",
        (reason, now, seq),
    )
    events.record(connection, now, "repair", State.HELD, receipt=seq, reason=reason)


def orphans(connection: apsw.Connection) -> Iterator[Damage]:
    """Find bodies without a row; the row is recreated from the content and the events."""
    for seq, body, checksum, raw in connection.execute(
        "SELECT seq, body, checksum, raw FROM bodies WHERE seq NOT IN (SELECT seq FROM receipts) ORDER BY seq"
    ):
        receipt = decode_body(body, checksum)
        kept = raw if isinstance(raw, bytes) else b""
        lost = "nothing that its content and its events do not have" if receipt else "the row, and its content"
        remedy = (
            "the row is recreated; uncertain when no event has its state, so the destination is asked before it is sent"
        )
        yield Damage(
            table="receipts", row=str(seq), receipt=receipt.id if receipt else "", reason="the row of a body is gone",
            lost=lost, remedy=remedy if receipt else f"held as damaged_{seq}: read it with `tillpost held retry`",
            fix=_row_again(seq, receipt, body, kept),
        )  # fmt: skip


def _row_again(seq: int, receipt: Receipt | None, body: object, raw: bytes) -> Fix:
    def fix(connection: apsw.Connection, now: float) -> None:
        known_values: dict[str, Any] = dict.fromkeys(_TEXTS, "") | {"line_count": 0}
        state, route, file = _last_state(connection, seq)
        known = state
        if receipt is not None:
            known_values |= _from_body(receipt) | {"document": receipt.raw.document, "place": receipt.raw.place}
            taken = connection.execute("SELECT 1 FROM receipts WHERE id = ?", (receipt.id,)).fetchone()
            state = State.HELD if taken else state or State.UNCERTAIN
        known_values |= {
            "id": _free_id(connection, receipt, seq),
            "state": state or State.HELD,
            "route": route,
            "file": file,
            "verify_due": now if state is State.DELIVERED else None,
        }
        key = None
        if receipt is not None and (customer := contact_links.customer_of(receipt)) is not None:
            at = contact_links.stated_at(receipt, now)
            key = contact_links.find_or_create(connection, customer, receipt.store, now, at)
        names = ", ".join((*known_values, "seq", "contact", "due", "accepted_at", "changed_at"))
        connection.execute(
            f"INSERT INTO receipts ({names}) VALUES ({', '.join('?' * (len(known_values) + 5))})",  # noqa: S608 - ours
            (*known_values.values(), seq, key, now, now, now),
        )
        what = "row recreated" if known_values["state"] == known else str(known_values["state"])
        events.record(connection, now, "repair", what, receipt=seq, reason="its row was recreated")
        if receipt is None:
            connection.execute(
                "UPDATE bodies SET body = NULL, checksum = ?, raw = ? WHERE seq = ?",
                (hashlib.sha256(raw).digest(), raw, seq),
            )
            hold(connection, seq, now, "its row was damaged in the journal; " + _AGAIN.format(id=f"damaged_{seq}"))
        elif key is None and known_values["state"] in _OPEN:
            hold(connection, seq, now, "its contact was damaged in the journal and its content names none")

    return fix
