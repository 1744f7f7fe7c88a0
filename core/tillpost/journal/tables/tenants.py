"""The tenants the destination has been: contactIds, and what is open with them, belong to one of them."""

from __future__ import annotations

import json
from pathlib import Path

import attrs

from tillpost.journal.database import List, Table, Transaction
from tillpost.journal.moves import Move, apply_moves
from tillpost.journal.states import ANOTHER_TENANT, MOVES, OPEN, State
from tillpost.journal.tables import events
from tillpost.journal.tables.contact_identity import CONFLICT, carried
from tillpost.model import IdentifierRules, Tenant


@attrs.frozen(kw_only=True)
class KnownTenant:
    """The tenant that stored contactIds belong to, since when (seconds since 1970), and the address of the former one.

    former: "" when there was none. pending: another address, of which no lookup has shown yet whether it is the same
    tenant, and since when nothing is sent for that; "" when there is none.
    """

    tenant: Tenant
    since: float
    former: str = ""
    pending: str = ""
    pending_since: float = 0.0


class Tenants(Table):
    """The table tenants."""

    def current(self) -> KnownTenant | None:
        """The present one; None before the first start with a transport that names its tenant."""
        rows = self._database.read(
            "SELECT address, credential, since, pending, pending_since FROM tenants ORDER BY seq DESC LIMIT 2"
        )
        if not rows:
            return None
        address, credential, since, pending, pending_since = rows[0]
        former = (str(rows[1][0]) or "an unknown address") if len(rows) > 1 else ""
        return KnownTenant(
            tenant=Tenant(address=address, credential=credential),
            since=float(since),
            former=former,
            pending=str(pending),
            pending_since=float(pending_since),
        )

    def set_pending(self, address: str, now: float) -> None:
        """Nothing is sent until lookups at this address have shown whose contactIds these are; "" ends that."""

        def work(transaction: Transaction) -> None:
            last = "seq = (SELECT max(seq) FROM tenants)"
            transaction.execute(
                f"UPDATE tenants SET pending = ?, pending_since = ? WHERE {last} AND pending <> ?",  # noqa: S608 - ours
                (address, now, address),
            )

        self._database.write(work)

    def adopt(self, tenant: Tenant, now: float, reason: str = "") -> KnownTenant:
        """The first tenant; or the present one by another address or credential, where contactIds stay valid."""

        def work(transaction: Transaction) -> None:
            if transaction.execute("SELECT 1 FROM tenants LIMIT 1").fetchone() is None:
                _insert(transaction, tenant, now)
                return
            transaction.execute(
                "UPDATE tenants SET address = ?, credential = ?, pending = ''"
                " WHERE seq = (SELECT max(seq) FROM tenants)",
                (tenant.address, tenant.credential),
            )
            events.record(transaction, now, "tenant", "same tenant", address=tenant.address, reason=reason)

        self._database.write(work)
        current = self.current()
        assert current is not None
        return current

    def samples(self, limit: int) -> list[str]:
        """Contacts that can be looked up by a key and whose contactId is stored; those confirmed last come first."""
        rows = self._database.read(
            "SELECT key FROM contacts c WHERE contact_id <> '' AND conflict = ''"
            " AND EXISTS (SELECT 1 FROM identifiers i WHERE i.contact = c.key AND i.kind <> 'contactId')"
            " ORDER BY confirmed_at DESC, key LIMIT ?",
            (limit,),
        )
        return [str(key) for (key,) in rows]

    def replace(self, tenant: Tenant, now: float) -> list[Path]:
        """The destination is another tenant: nothing of the former one is used with it. Returns files to be removed.

        Contacts lose their ids and what the former tenant held of them. Receipts that are not delivered go to the new
        one by API: those in fallback files, those that may have arrived, and those held for a conflict. Receipts that
        were delivered stay what they are, and their histories are read no more.
        """

        def work(transaction: Transaction) -> list[Path]:
            ids = transaction.execute("SELECT count(*) FROM contacts WHERE contact_id <> ''").fetchone()[0]
            files = transaction.execute(
                "SELECT path FROM files WHERE state IN ('written', 'uploaded', 'consumed')"
            ).fetchall()
            reason = "written for another tenant"
            moved = _send_again(transaction, ("written", "transferred"), reason, now)
            transaction.execute("DELETE FROM files WHERE state = 'written'")
            transaction.execute(
                "UPDATE files SET state = 'confirmed', reason = ?, alerted_at = NULL, confirmed_at = ?"
                " WHERE state IN ('uploaded', 'consumed')",
                (reason, now),
            )
            transaction.execute("UPDATE receipts SET file = '', matched = '' WHERE state = 'waiting' AND file <> ''")
            moved += _send_again(transaction, ("uncertain",), "may have reached another tenant", now)
            transaction.execute(
                # What earlier sales said is for contacts that are created; of one that is there its own stays.
                "UPDATE contacts SET contact_id = '', sent = attributes, origin = '', learnt_at = NULL, file = '',"
                " created_by = '', in_files = '{}', looked_at = NULL, compared_at = NULL, unsaved = '[]',"
                " conflict = '', confirmed_at = 0, gone_at = NULL, lookups = 0, lookup_due = NULL"
            )
            _tell_what_waits(transaction)
            transaction.execute("UPDATE identifiers SET shared = 0 WHERE shared = 1")
            held = transaction.execute(
                "SELECT seq FROM receipts WHERE state = 'held' AND substr(reason, 1, ?) = ?", (len(CONFLICT), CONFLICT)
            ).fetchall()
            move = Move(state=State.ACCEPTED, due=now, reason="the conflict was another tenant's")
            apply_moves(transaction, [seq for (seq,) in held], move, now, "tenant")
            transaction.execute("UPDATE receipts SET verify_due = NULL WHERE verify_due IS NOT NULL")
            transaction.execute("UPDATE verification SET history = 'unknown', reason = '', since = ?", (now,))
            _insert(transaction, tenant, now)
            events.record(
                transaction, now, "tenant", "another tenant", address=tenant.address, ids=ids,
                receipts=moved + len(held), files=len(files),
            )  # fmt: skip
            return [Path(path) for (path,) in files]

        return self._database.write(work)


def _insert(transaction: Transaction, tenant: Tenant, now: float) -> None:
    transaction.execute(
        "INSERT INTO tenants (address, credential, since) VALUES (?,?,?)", (tenant.address, tenant.credential, now)
    )


def _tell_what_waits(transaction: Transaction) -> None:
    """What receipts that wait state of their customers is for the new tenant, too."""
    keys = transaction.execute(
        "SELECT DISTINCT contact FROM receipts WHERE contact IS NOT NULL AND state IN (SELECT value FROM json_each(?))",
        (List(OPEN),),
    ).fetchall()
    for (key,) in keys:
        stated = carried(transaction.execute, key, IdentifierRules(), first_time=True).attributes
        (known,) = transaction.execute("SELECT attributes FROM contacts WHERE key = ?", (key,)).fetchone()
        earlier = {name: value for name, value in json.loads(known).items() if stated.get(name) != value}
        transaction.execute("UPDATE contacts SET sent = ? WHERE key = ?", (json.dumps(earlier), key))


def _send_again(transaction: Transaction, states: tuple[str, ...], reason: str, now: float) -> int:
    """Receipts in these states wait to be sent; how many there are."""
    marks = ", ".join("?" * len(states))
    rows = transaction.execute(f"SELECT seq FROM receipts WHERE state IN ({marks}) ORDER BY seq", states).fetchall()  # noqa: S608 - marks
    move = Move(state=State.WAITING, due=now, reason=reason)
    apply_moves(transaction, [seq for (seq,) in rows], move, now, "tenant", MOVES | ANOTHER_TENANT)
    return len(rows)
