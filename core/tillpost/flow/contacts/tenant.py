"""Tenant: stored contactIds, fallback files and open questions are used with the tenant they belong to, and no other.

When the transport names another address or key than the journal knows, nothing is sent until a few contacts have been
looked up: contactIds are GUIDs, so one that leads to the stored id shows the same tenant.
"""

from __future__ import annotations

import logging

import attrs

from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.deadly import in_hand
from tillpost.flow.line import Line
from tillpost.journal import KnownTenant
from tillpost.model import Conflict, Identified, Tenant
from tillpost.terminal import counted

_log = logging.getLogger("tillpost.flow")
_SAMPLES = 5
"""Contacts looked up at most. Some may have been merged or erased; all of the last confirmed ones have not."""


def start(line: Line) -> None:
    """Compare the tenant of the settings with the journal's, before the first thread starts; no request is made."""
    tenant = line.hooks.identity()
    line.tenant.pending, line.tenant.moved = None, False
    if tenant is None:
        return
    known = line.journal.tenants.current()
    if known is None:
        # A journal of an earlier version has ids of a tenant that nobody has named.
        unnamed = line.journal.tenants.samples(1) and line.hooks.implements("reconcile_contact")
        known = line.journal.tenants.adopt(Tenant(address="") if unnamed else tenant, line.clock.time())
    if known.tenant != tenant:
        line.tenant.pending = tenant
        line.tenant.moved = known.tenant.address not in ("", tenant.address)
    pending = tenant.address if line.tenant.moved else ""
    if known.pending != pending:
        line.journal.tenants.set_pending(pending, line.clock.time())
        if line.tenant.moved:
            _log.warning(
                "pipeline %s: the destination is %s now, and was %s; nothing is sent until contact lookups have shown"
                " whether it is the same tenant",
                line.name, tenant.address, known.tenant.address,
            )  # fmt: skip


def run_round(line: Line) -> None:
    """Ask whose contactIds these are, once the destination answers and calls of a replaced pipeline have ended."""
    tenant = line.tenant.pending
    if tenant is None or not line.breaker.allows_requests() or len(line.claims):
        return
    known = line.journal.tenants.current()
    is_same = _is_same(line)
    if is_same is None or known is None:
        return
    if is_same:
        reason = "contacts have the same ids" if line.tenant.moved else "the key has changed"
        line.journal.tenants.adopt(tenant, line.clock.time(), reason)
    else:
        _replace(line, known, tenant)
    line.tenant.pending, line.tenant.moved = None, False


def _is_same(line: Line) -> bool | None:
    """Whether a contact is found under its stored id; None when there was no answer."""
    keys = line.journal.tenants.samples(_SAMPLES) if line.hooks.implements("reconcile_contact") else []
    differs = False
    for key in keys:
        contact = line.journal.contacts.get(key)
        try:
            with in_hand(line, "reconcile_contact", key):
                found = line.breaker.record(line.hooks.reconcile_contact(attrs.evolve(contact, contact_id="")))
        except (InvalidValue, PluginError) as error:
            _log.warning("pipeline %s: contact %s tells nothing of the tenant: %s", line.name, key, error)
            continue
        ids = found.found.values() if isinstance(found, Conflict) else ()
        if contact.contact_id in (found.contact_id if isinstance(found, Identified) else "", *ids):
            return True
        if not line.breaker.allows_requests():
            return None
        differs |= found is None or isinstance(found, Identified | Conflict)  # the trouble of one says nothing
    if not keys:
        return not line.tenant.moved  # nothing can be compared: the address decides
    return False if differs else None


def _replace(line: Line, known: KnownTenant, tenant: Tenant) -> None:
    ids = line.journal.contacts.counts()["known"]
    for path in line.journal.tenants.replace(tenant, line.clock.time()):
        path.unlink(missing_ok=True)
    _log.error(
        "pipeline %s: %s is another tenant than %s. %s of the former one will not be used, but looked up again;"
        " receipts that were not delivered go to the new one. Put the address back if that is a mistake",
        line.name, tenant.address, known.tenant.address or "the one before", counted(ids, "contactId"),
    )  # fmt: skip
