"""Results of looking up the contacts of files at the destination: ids, conflicts, and fields an import did not save."""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping

import attrs

from tillpost.errors import UsageError
from tillpost.journal.database import ALL, Database, Table, Transaction
from tillpost.journal.tables import events
from tillpost.journal.tables.contact_identity import CONFLICT, end_conflict
from tillpost.journal.tables.contacts import Contacts, set_contact_id
from tillpost.model import Conflict, Identified

OPEN_CONTACT = "((contact_id = '' AND file <> '') OR conflict <> '' OR unsaved <> '[]')"
"""The expression of the index contacts_open (schema.py), which SQLite uses for exactly this expression."""


@attrs.frozen(kw_only=True)
class ContactLookup:
    """The result of a lookup, judged by flow/contacts/contact_lookup.py; found: None when there is no such contact.

    conflict: set when a rule has found one. settled: attributes that need not be sent, because the destination has them
    or its own value was `kept`. unsaved: fields the import did not save; None: nothing was imported yet.
    """

    key: str
    found: Identified | Conflict | None
    conflict: Conflict | None = None
    settled: Mapping[str, str] = attrs.field(factory=dict, repr=False)
    kept: tuple[str, ...] = ()
    unsaved: tuple[str, ...] | None = None


@attrs.frozen(kw_only=True)
class LookupState:
    """What lookups of a contact have come to so far. conflict: why its receipts are held, and the next step, or "".

    lookups, due: as `Contacts.lookups`. created_by: the name of the file that creates the contact, or "".
    """

    conflict: str
    lookups: int
    due: float | None
    created_by: str


class ContactLookups(Table):
    """Lookups of the contacts of files, before the files are uploaded and after their import."""

    def __init__(self, database: Database, contacts: Contacts) -> None:
        super().__init__(database)
        self._contacts = contacts

    def save(self, lookups: Iterable[ContactLookup], route: str, now: float) -> None:
        """Store the results of several lookups in one commit. route: how the ids were learnt."""
        listed = list(lookups)

        def work(transaction: Transaction) -> None:
            for lookup in listed:
                _save(transaction, lookup, route, now)

        self._database.write(work)

    def to_look_up(self, file: str, limit: int) -> list[str]:
        """Contacts of a file that have not been looked up: those it creates, and those it updates by a known id."""
        return self._in_file(
            file,
            "c.looked_at IS NULL AND c.conflict = '' AND (c.contact_id <> '' OR c.created_by IN (f.name, ''))",
            limit,
        )

    def to_confirm(self, file: str, since: float, until: float, limit: int) -> list[str]:
        """Contacts a receipts file names by an id that was not confirmed in that time, or that has turned out wrong."""
        rows = self._database.read(
            "SELECT DISTINCT c.key FROM receipts r JOIN contacts c ON c.key = r.contact"
            " WHERE r.file = ? AND r.file <> '' AND r.state = 'written' AND c.conflict = ''"
            " AND ((r.matched = 'contactId' AND c.contact_id <> '' AND c.confirmed_at NOT BETWEEN ? AND ?)"
            " OR (r.matched = '' AND c.contact_id = '' AND c.created_by = '' AND c.looked_at IS NULL)) LIMIT ?",
            (file, since, until, limit),
        )
        return [str(key) for (key,) in rows]

    def to_compare(self, file: str) -> list[str]:
        """Contacts of an imported file whose id is unknown, or that have not been compared with the import."""
        clause = "c.conflict = '' AND (c.contact_id = '' OR (c.compared_at IS NULL AND c.file = f.name))"
        return self._in_file(file, clause, ALL)

    def count_unknown(self, file: str) -> int:
        """How many contacts of a file have neither an id nor a conflict."""
        return len(self._in_file(file, "c.conflict = '' AND c.contact_id = ''", ALL))

    def outdated(self, file: str) -> list[str]:
        """Contacts for which the content of a file is out of date.

        Those in conflict; those the file creates and that are known by now; those that are no longer known; those known
        by another id than when the file was written; those with attributes that are settled.
        """
        created = "c.contact_id <> '' AND c.created_by = f.name"
        unknown_again = "c.contact_id = '' AND c.created_by = ''"
        found_again = "c.contact_id <> '' AND c.file = ''"  # the id was forgotten and another found
        found = self._in_file(
            file,
            f"(c.contact_id = '' AND c.conflict <> '') OR ({created}) OR ({unknown_again}) OR ({found_again})",
            ALL,
        )
        for key in self._in_file(file, "c.contact_id <> '' AND c.created_by <> f.name", ALL):
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
        """Why receipts of the contact are held, and the next step; "" when there is no conflict."""
        rows = self._database.read("SELECT conflict FROM contacts WHERE key = ?", (key,))
        return _reason(key, rows[0][0]) if rows else ""

    def state(self, key: str) -> LookupState:
        """How lookups of a contact stand, in one read."""
        rows = self._database.read(
            "SELECT conflict, lookups, lookup_due, created_by FROM contacts WHERE key = ?", (key,)
        )
        conflict, lookups, due, created_by = rows[0] if rows else ("", 0, None, "")
        return LookupState(conflict=_reason(key, conflict), lookups=lookups, due=due, created_by=created_by)

    def conflicts_due(self, now: float, latest: float, limit: int, key: str = "") -> list[str]:
        """Contacts in conflict that are to be looked up again; of one contact, or of all.

        latest: a lookup due later than this was planned before the clock was set back.
        """
        rows = self._database.read(
            f"SELECT key FROM contacts WHERE {OPEN_CONTACT} AND conflict <> ''"  # noqa: S608 - ours
            " AND (lookup_due IS NULL OR lookup_due <= ? OR lookup_due > ?) AND ? IN ('', key)"
            " ORDER BY lookup_due LIMIT ?",
            (now, latest, key, limit),
        )
        return [str(key) for (key,) in rows]

    def resolve_conflict(self, key: str, contact_id: str, now: float) -> int:
        """A person chooses the contactId; returns how many receipts are no longer held.

        Raises UsageError when the contact has no conflict.
        """

        def work(transaction: Transaction) -> int:
            row = transaction.execute("SELECT conflict FROM contacts WHERE key = ?", (key,)).fetchone()
            if row is None or not row[0]:
                raise UsageError(
                    f"contact {key} has no conflict; `tillpost contacts conflicts` lists those that have one"
                )
            receipts = end_conflict(transaction, key, now, "conflict resolved")
            set_contact_id(transaction, key, Identified(contact_id=contact_id), "person", now, {}, confirmed_at=0.0)
            return receipts

        return self._database.write(work)


def _reason(key: str, conflict: str) -> str:
    if not conflict:
        return ""
    return f"{CONFLICT}{json.loads(conflict)['reason']}; `tillpost contacts resolve {key} --use CONTACTID`"


def _save(transaction: Transaction, lookup: ContactLookup, route: str, now: float) -> None:
    contact_id, before = transaction.execute(
        "SELECT contact_id, conflict FROM contacts WHERE key = ?", (lookup.key,)
    ).fetchone()
    conflict = lookup.found if isinstance(lookup.found, Conflict) else lookup.conflict
    # Another thread may have stored an id meanwhile, which is in use since: that id is kept.
    if conflict is not None and not contact_id:
        reason, found = conflict.reason, dict(conflict.found)
        stored = json.dumps({"reason": reason, "found": found})
        if stored != before:
            events.record(transaction, now, "resolve", "conflict", contact=lookup.key, reason=reason, found=found)
            transaction.execute("UPDATE contacts SET conflict = ? WHERE key = ?", (stored, lookup.key))
    elif before and lookup.found is None:
        # How often it was looked up stays: one that flaps is asked for less and less.
        transaction.execute("UPDATE contacts SET lookup_due = NULL WHERE key = ?", (lookup.key,))
        end_conflict(transaction, lookup.key, now, "its keys lead to no contact any more")
    if isinstance(lookup.found, Identified) and contact_id in ("", lookup.found.contact_id):
        set_contact_id(transaction, lookup.key, lookup.found, route, now, lookup.settled)
        if lookup.kept:
            events.record(
                transaction, now, "resolve", "attributes kept", contact=lookup.key, fields=sorted(lookup.kept)
            )
        if lookup.unsaved is not None:
            transaction.execute(
                "UPDATE contacts SET compared_at = ?, unsaved = ? WHERE key = ?",
                (now, json.dumps(sorted(lookup.unsaved)), lookup.key),
            )
        if lookup.unsaved:
            events.record(
                transaction, now, "resolve", "fields not saved", contact=lookup.key, fields=sorted(lookup.unsaved)
            )
    transaction.execute("UPDATE contacts SET looked_at = ? WHERE key = ?", (now, lookup.key))
