"""The local contacts: their identifiers and attributes, and the contactId once it is known.

Values here are personal data; events name contacts by their key only.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tillpost.journal.database import ALL, List, Transaction, first
from tillpost.journal.tables import contact_identity as identity
from tillpost.journal.tables import counters, events
from tillpost.journal.tables.contact_identity import ContactIdentity, carried
from tillpost.journal.tables.contact_links import times_of
from tillpost.journal.tables.verification import send_again_where_no_history_tells
from tillpost.model import Contact, Identified, Identifier


def written_key(known: Identifier) -> str:
    """The key of an identifier in the column in_files, among the attributes written to files."""
    return f"{known.kind}:{known.value}"


class Contacts(ContactIdentity):
    """The contacts table with its identifiers."""

    def get(self, key: str) -> Contact:
        """By its local key; of the identifiers of a kind the last learnt is the first."""
        row = self._row("contact_id, attributes, sent, store, attribute_times, gone_at", key)
        known = self._database.read(
            "SELECT kind, value FROM identifiers WHERE contact = ? AND shared = 0 ORDER BY kind, learnt_at DESC, value",
            (key,),
        )
        attributes = self._json_of(key, "attributes", row[1])
        contact = Contact(
            key=key,
            contact_id=row[0],
            identifiers=tuple(Identifier(kind, value) for kind, value in known),
            attributes=attributes,
            sent=self._json_of(key, "sent", row[2]),
            attribute_times=self._times_of(key, row[4], attributes),
            store=row[3],
            is_gone=row[5] is not None,
        )
        if contact.is_gone:
            waiting = carried(self._database.read, key, self.rules)
            contact = attrs.evolve(contact, attributes=waiting.attributes, attribute_times=waiting.times, sent={})
        return self.rules.contact(contact)

    def known(self, keys: Iterable[str], since: float, until: float) -> dict[str, str]:
        """Key → contactId of those contacts that need neither a lookup nor an update.

        since, until: when the destination must have confirmed the contactId.
        """
        rows = self._database.read(
            "SELECT key, contact_id, attributes, sent FROM contacts WHERE key IN (SELECT value FROM json_each(?))"
            " AND contact_id <> '' AND conflict = '' AND confirmed_at BETWEEN ? AND ?",
            (List(keys), since, until),
        )
        return {
            key: contact_id
            for key, contact_id, attributes, sent in rows
            if attributes in ("{}", sent)
            or not Contact(
                key=key, attributes=self._json_of(key, "attributes", attributes), sent=self._json_of(key, "sent", sent)
            ).changes()
        }

    def _row(self, columns: str, key: str) -> tuple[Any, ...]:
        rows = self._database.read(f"SELECT {columns} FROM contacts WHERE key = ?", (key,))  # noqa: S608 - names are ours
        if not rows:
            raise self._database.damaged(f"table contacts: {key} is missing")
        return rows[0]

    def _json_of(self, key: str, column: str, text: object) -> dict[str, Any]:
        if text == "{}":
            return {}  # as in most rows
        try:
            written = json.loads(text) if isinstance(text, str) else None
        except (ValueError, RecursionError):
            written = None
        if not isinstance(written, dict):
            raise self._database.damaged(f"table contacts, row {key}: {column} makes no sense")
        return written

    def _times_of(self, key: str, text: object, names: Iterable[str]) -> dict[str, float]:
        try:
            return times_of(str(text), names)
        except ValueError:
            raise self._database.damaged(f"table contacts, row {key}: attribute_times makes no sense") from None

    def for_file(self, key: str) -> Contact:
        """The contact with the identifiers by which a file may name it.

        For a contact that an earlier file creates these are the identifiers in that file: the destination does not know
        the later ones, and ignores a receipt that names one of them.
        """
        contact = self.get(key)
        if contact.contact_id or not self.created_by_file(key):
            return self._for_new_file(contact)
        written = self.written_values(key) or {}
        usable = tuple(known for known in contact.identifiers if written_key(known) in written)
        return attrs.evolve(contact, identifiers=usable or contact.identifiers)

    def _for_new_file(self, contact: Contact) -> Contact:
        """The contact with those identifiers by which the destination finds nobody else, and may know it."""
        excluded = self.contested(contact)
        known = [each for each in contact.identifiers if (each.kind, each.value) not in excluded]
        if contact.is_gone:
            # It may have been erased: nothing of earlier sales is told again.
            names = carried(self._database.read, contact.key, self.rules).identifiers
            known = [each for each in known if (each.kind, each.value) in names] or known
        return attrs.evolve(contact, identifiers=tuple(known))

    def created_by_file(self, key: str) -> str:
        """The name of the file that creates the contact; "" when there is none."""
        return str(self._row("created_by", key)[0])

    def written_values(self, key: str, last: str = "") -> dict[str, str] | None:
        """What files contain of the contact: its attributes, and its identifiers by their `written_key`.

        last: the file that must have been the last to contain it, or the result is None; "" for any file.
        """
        in_files, file = self._row("in_files, file", key)
        return self._json_of(key, "in_files", in_files) if last in ("", file) else None

    def confirmed_at(self, key: str) -> float:
        """When the destination last confirmed the contactId (seconds since 1970); 0: never, negative: in doubt."""
        return float(self._row("confirmed_at", key)[0])

    def confirm(self, keys: Iterable[str], now: float) -> None:
        """The destination has just said that the contactIds of these contacts are valid."""
        listed = [(now, key) for key in keys]
        self._database.write(
            lambda transaction: transaction.executemany("UPDATE contacts SET confirmed_at = ? WHERE key = ?", listed)
        )

    def doubt(self, contact_ids: Iterable[str], reason: str, now: float) -> list[str]:
        """Ask the destination about these contactIds before they are used again; the keys of their contacts."""
        listed = List(contact_ids)

        def work(transaction: Transaction) -> list[str]:
            rows = transaction.execute(
                "UPDATE contacts SET confirmed_at = -abs(confirmed_at) WHERE contact_id <> ''"
                " AND contact_id IN (SELECT value FROM json_each(?)) RETURNING key",
                (listed,),
            ).fetchall()
            for (key,) in rows:
                events.record(transaction, now, "resolve", "id in doubt", contact=key, reason=reason)
            return [str(key) for (key,) in rows]

        return self._database.write(work)

    def seen_at(self, key: str) -> float:
        """When the contact was last on a receipt (seconds since 1970)."""
        return float(self._row("seen_at", key)[0])

    def save_contact_id(self, key: str, found: Identified, route: str, now: float) -> None:
        """Store the contactId, and attributes the destination has. route: how it was learnt (created, lookup, file)."""
        self._database.write(lambda transaction: set_contact_id(transaction, key, found, route, now, found.holds))

    def forget_id(self, key: str, reason: str, now: float, *, contact_id: str = "", is_gone: bool = True) -> None:
        """Forget a contactId that is no longer valid; the contact is looked up again.

        contact_id: the one an answer was about; another one that was learnt meanwhile stays. "" for any.
        is_gone: the destination has no contact of that id any more. False: it is another person's.
        """

        def work(transaction: Transaction) -> None:
            forgotten = transaction.execute(
                # What files contained is forgotten too, so the next file creates the contact again.
                "UPDATE contacts SET contact_id = '', sent = '{}', origin = '', learnt_at = NULL, file = '',"
                " created_by = '', in_files = '{}', looked_at = NULL, compared_at = NULL, unsaved = '[]',"
                " confirmed_at = -abs(confirmed_at), gone_at = ? WHERE key = ? AND ? IN ('', contact_id) RETURNING key",
                (now if is_gone else None, key, contact_id),
            ).fetchone()
            if not forgotten:
                return
            _unmatch(transaction, key)
            events.record(transaction, now, "resolve", "id forgotten", contact=key, reason=reason)

        self._database.write(work)

    def erase(self, key: str, now: float) -> None:
        """The destination has erased the person: forget all that no waiting receipt carries of it."""
        waiting = carried(self._database.read, key, self.rules).identifiers
        (store,) = self._row("store", key)

        def is_carried(kind: str, value: str) -> bool:
            known = self.rules.normal(Identifier(kind, value), store)
            return (known.kind, known.value) in waiting

        def work(transaction: Transaction) -> None:
            identity.forget_earlier_sales(transaction, key, is_new=True)
            rows = transaction.execute("SELECT kind, value FROM identifiers WHERE contact = ?", (key,)).fetchall()
            earlier = [name for name in rows if not is_carried(*name)]
            if len(earlier) < len(rows):  # a receipt that names nobody, such as the anonymous one's, has none
                transaction.executemany(
                    "DELETE FROM identifiers WHERE contact = ? AND kind = ? AND value = ?",
                    ((key, *name) for name in earlier),
                )
            events.record(transaction, now, "resolve", "erased", contact=key, identifiers=len(earlier))

        self._database.write(work)

    def drop_changes(self, key: str, changes: Mapping[str, str], reason: str, now: float) -> None:
        """The destination refuses these attributes: they are not sent again until they change."""

        def work(transaction: Transaction) -> None:
            sent = first(transaction.execute("SELECT sent FROM contacts WHERE key = ?", (key,)))
            transaction.execute(
                "UPDATE contacts SET sent = ? WHERE key = ?", (json.dumps(json.loads(sent) | dict(changes)), key)
            )
            events.record(
                transaction, now, "resolve", "attributes refused", contact=key, reason=reason, fields=sorted(changes)
            )

        self._database.write(work)

    def to_write(self, keys: set[str], replacing: frozenset[str] = frozenset()) -> tuple[list[Contact], list[Contact]]:
        """Which of these contacts the next file must create, and which it must update.

        replacing: names of files that are about to be replaced; what they contain does not count as written.
        """
        created, updated = [], []
        for key in sorted(keys):
            contact = self._for_new_file(self.get(key))
            in_files, file, created_by = self._row("in_files, file, created_by", key)
            written = {} if file in replacing else self._json_of(key, "in_files", in_files)
            unwritten = {n for n, value in contact.changes().items() if written.get(n) != value}
            if unwritten and contact.contact_id and (superseded := self.newer_elsewhere(contact)):
                unwritten -= superseded
                current = {n: value for n, value in contact.attributes.items() if n not in superseded}
                contact = attrs.evolve(contact, attributes=current)
            if not contact.contact_id and (not created_by or created_by in replacing):
                created.append(contact)
            elif unwritten:
                updated.append(contact)
        return created, updated

    def all(self, limit: int = ALL) -> list[dict[str, Any]]:
        """One dict for each contact, without personal data: identifiers are given by kind and digest."""
        rows = self._database.read(
            "SELECT key, contact_id, origin, file, seen_at, learnt_at, confirmed_at, conflict, unsaved FROM contacts"
            " ORDER BY seen_at, key LIMIT ?",
            (limit,),
        )
        return [
            {
                "key": key,
                "contact_id": contact_id,
                "state": "known" if contact_id else "conflict" if conflict else "pending" if file else "new",
                "identifiers": [str(known) for known in self.get(key).identifiers],
                "origin": origin,
                "file": file,
                "unsaved": json.loads(unsaved),
                "seen_at": seen_at,
                "learnt_at": learnt_at,
                "confirmed_at": confirmed_at if confirmed_at > 0 else None,
                "conflict": json.loads(conflict) if conflict else None,
            }
            for key, contact_id, origin, file, seen_at, learnt_at, confirmed_at, conflict, unsaved in rows
        ]

    def counts(self) -> dict[str, int]:
        """Counts of contacts: known: with a contactId; pending: created by a file, id unknown; created: by API.

        reconciled: id learnt after a file; conflicts: wait for a person; unsaved: not all fields were imported.
        """
        rows = self._database.read(f"SELECT {', '.join(counters.CONTACTS)} FROM contact_counters")  # noqa: S608 - ours
        return dict(zip(counters.CONTACTS, map(int, rows[0] if rows else (0,) * len(counters.CONTACTS)), strict=True))


def _unmatch(transaction: Transaction, key: str) -> None:
    """The contact has another contactId: receipts in files that name it by the former one are written again."""
    transaction.execute(
        "UPDATE receipts SET matched = '' WHERE contact = ? AND matched = 'contactId'"
        " AND state IN ('written', 'transferred')",
        (key,),
    )


def set_contact_id(
    transaction: Transaction,
    key: str,
    found: Identified,
    route: str,
    now: float,
    settled: Mapping[str, str],
    confirmed_at: float | None = None,
) -> None:
    """Store the contactId in a transaction. settled: attributes that need not be sent.

    confirmed_at: 0 when the destination is to be asked about it before it is used; now when omitted, unless the answer
    only repeats the stored contactId.
    """
    old, sent, origin, unsaved, confirmed_before, gone_at, lookup_due, conflict = transaction.execute(
        "SELECT contact_id, sent, origin, unsaved, confirmed_at, gone_at, lookup_due, conflict"
        " FROM contacts WHERE key = ?",
        (key,),
    ).fetchone()
    if confirmed_at is None:
        repeats = old == found.contact_id and not (found.by or found.created or found.holds)
        confirmed_at = confirmed_before if repeats else now
    if gone_at is not None:
        # What earlier sales said was for the id that is gone; the destination's own may be newer.
        identity.forget_earlier_sales(transaction, key, is_new=found.created)
    if lookup_due is not None:
        identity.end_lookups(transaction, key, now)
    if conflict:
        identity.end_conflict(transaction, key, now, "its keys lead to one contact now")
    left = [name for name in json.loads(unsaved) if name not in settled]
    transaction.execute(
        "UPDATE contacts SET contact_id = ?, sent = ?, origin = ?, unsaved = ?, confirmed_at = ?,"
        " learnt_at = CASE WHEN contact_id = ? THEN learnt_at ELSE ? END WHERE key = ?",
        (
            found.contact_id, json.dumps(json.loads(sent) | dict(settled)), origin or route, json.dumps(left),
            confirmed_at, found.contact_id, now, key,
        ),
    )  # fmt: skip
    is_merged = (gone_at is not None or old not in ("", found.contact_id)) and not found.created
    if is_merged and confirmed_before:
        send_again_where_no_history_tells(transaction, key, abs(confirmed_before), now)
    if found.refused:
        events.record(transaction, now, "resolve", "identifiers refused", contact=key, kinds=sorted(found.refused))
    if old != found.contact_id:
        if old:
            _unmatch(transaction, key)
        what = "created" if found.created else "id learnt"
        events.record(transaction, now, "resolve", what, contact=key, route=route, by=found.by)
