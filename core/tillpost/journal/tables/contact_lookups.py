"""What the destination has shown of the contacts that files name: ids, conflicts, and what an import left out."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import attrs

from tillpost.errors import JournalError
from tillpost.journal.database import ALL, Database, Transaction, first
from tillpost.journal.moves import Move, apply_move
from tillpost.journal.states import State
from tillpost.journal.tables import events
from tillpost.journal.tables.contacts import Contacts, set_contact_id
from tillpost.model import Conflict, Identified

CONFLICT = "conflict: "
"""How the reason of a receipt begins that is held because of its contact's conflict."""


@attrs.frozen(kw_only=True)
class ContactLookup:
    """What the destination has shown of a contact, as flow/fallback/contact_lookup.py judged it; `found` None: nobody.

    conflict: what a rule has decided, when one had to. settled: attributes that need not be sent: held there, or given
    up in favour of what was `kept` there. unsaved: fields the import did not save; None: nothing was imported yet.
    """

    key: str
    found: Identified | Conflict | None
    conflict: Conflict | None = None
    settled: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    kept: tuple[str, ...] = ()
    unsaved: tuple[str, ...] | None = None


class ContactLookups:
    """The contacts of files, as they are asked about before the files go up and after their import."""

    def __init__(self, database: Database, contacts: Contacts) -> None:
        self._database = database
        self._contacts = contacts

    def save(self, looks: Iterable[ContactLookup], route: str, now: float) -> None:
        """Store what was shown of several contacts, in one commit: ids, conflicts, what need not be sent."""
        listed = list(looks)

        def work(transaction: Transaction) -> None:
            for look in listed:
                _note(transaction, look, route, now)

        self._database.write(work)

    def to_look_up(self, file: str, limit: int) -> list[str]:
        """Contacts of a file that were not looked up yet: those it creates, and those it updates by a known id."""
        return self._in_file(
            file,
            "c.looked_at IS NULL AND c.conflict = '' AND (c.contact_id <> '' OR c.made IN (f.name, ''))",
            limit,
        )

    def to_compare(self, file: str) -> list[str]:
        """Contacts of an imported file whose id is unknown, or of which nobody has seen yet what the import made."""
        clause = "c.conflict = '' AND (c.contact_id = '' OR (c.compared_at IS NULL AND c.file = f.name))"
        return self._in_file(file, clause, ALL)

    def count_unknown(self, file: str) -> int:
        """How many contacts of a file have neither an id nor a conflict."""
        return len(self._in_file(file, "c.conflict = '' AND c.contact_id = ''", ALL))

    def outdated(self, file: str) -> list[str]:
        """Contacts of which a file says what it must say no longer.

        In conflict; known by now, so that nobody has to make them; no longer known; known by another id than when it
        was written; attributes that are settled.
        """
        made = "c.contact_id <> '' AND c.made = f.name"
        gone = "c.contact_id = '' AND c.made = ''"
        anew = "c.contact_id <> '' AND c.file = ''"  # forgotten, with all that files had said, and found again
        found = self._in_file(
            file, f"(c.contact_id = '' AND c.conflict <> '') OR ({made}) OR ({gone}) OR ({anew})", ALL
        )
        for key in self._in_file(file, "c.contact_id <> '' AND c.made <> f.name", ALL):
            changes = self._contacts.get(key).changes()
            if any(
                changes.get(name) != value
                for name, value in (self._contacts.written_values(key) or {}).items()
                if ":" not in name
            ):
                found.append(key)
        return found

    def _in_file(self, file: str, clause: str, limit: int) -> list[str]:
        sql = (
            "SELECT c.key FROM files f, json_each(f.keys) k JOIN contacts c ON c.key = k.value"  # noqa: S608 - clauses are ours
            f" WHERE f.name = ? AND ({clause}) LIMIT ?"
        )
        rows = self._database.read(sql, (file, limit))
        return [str(key) for (key,) in rows]

    def conflict_reason(self, key: str) -> str:
        """Why the contact's receipts are held, with what to do about it; "" when there is no conflict."""
        rows = self._database.read("SELECT conflict FROM contacts WHERE key = ?", (key,))
        if not rows or not rows[0][0]:
            return ""
        return f"{CONFLICT}{json.loads(rows[0][0])['reason']}; `tillpost contacts resolve {key} --use CONTACTID`"

    def resolve_conflict(self, key: str, contact_id: str, now: float) -> int:
        """A person says which contact it is; how many receipts that were held for it are back on the line."""

        def work(transaction: Transaction) -> int:
            row = transaction.execute("SELECT conflict FROM contacts WHERE key = ?", (key,)).fetchone()
            if row is None or not row[0]:
                raise JournalError(f"{key} has no conflict")
            transaction.execute("UPDATE contacts SET conflict = '' WHERE key = ?", (key,))
            set_contact_id(transaction, key, Identified(contact_id=contact_id), "person", now, {})
            rows = list(
                transaction.execute(
                    "SELECT seq FROM receipts WHERE contact = ? AND state = 'held' AND substr(reason, 1, ?) = ?",
                    (key, len(CONFLICT), CONFLICT),
                )
            )
            for (seq,) in rows:
                apply_move(
                    transaction, seq, Move(state=State.ACCEPTED, due=now, reason="conflict resolved"), now, "held"
                )
            return len(rows)

        return self._database.write(work)


def _note(transaction: Transaction, look: ContactLookup, route: str, now: float) -> None:
    contact_id = first(transaction.execute("SELECT contact_id FROM contacts WHERE key = ?", (look.key,)))
    conflict = look.found if isinstance(look.found, Conflict) else look.conflict
    # Another thread may have identified it meanwhile, by an id that is in use since: that one stands.
    if conflict is not None and not contact_id:
        reason, found = conflict.reason, dict(conflict.found)
        events.record(transaction, now, "resolve", "conflict", contact=look.key, reason=reason, found=found)
        told = json.dumps({"reason": reason, "found": found})
        transaction.execute("UPDATE contacts SET conflict = ? WHERE key = ?", (told, look.key))
    if isinstance(look.found, Identified) and contact_id in ("", look.found.contact_id):
        set_contact_id(transaction, look.key, look.found, route, now, look.settled)
        if look.kept:
            events.record(transaction, now, "resolve", "attributes kept", contact=look.key, fields=sorted(look.kept))
        if look.unsaved is not None:
            transaction.execute(
                "UPDATE contacts SET compared_at = ?, unsaved = ? WHERE key = ?",
                (now, json.dumps(sorted(look.unsaved)), look.key),
            )
        if look.unsaved:
            events.record(
                transaction, now, "resolve", "fields not saved", contact=look.key, fields=sorted(look.unsaved)
            )
    transaction.execute("UPDATE contacts SET looked_at = ? WHERE key = ?", (now, look.key))
