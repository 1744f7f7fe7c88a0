"""Tenant: stored contactIds, fallback files and open questions are used with the tenant they belong to, and no other.

When the transport names another address or key than the journal knows, nothing is sent until a few contacts have been
looked up: contactIds are GUIDs, so one that leads to the stored id shows the same tenant.
"""

from __future__ import annotations

import logging

import attrs

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
        line.journal.tenants.adopt(tenant, line.clock.time())
    elif known.tenant != tenant:
        line.tenant.pending = tenant
        line.tenant.moved = known.tenant.address != tenant.address
        if line.tenant.moved:
            _log.warning(
                "pipeline %s: the destination is %s now, and was %s; nothing is sent until contact lookups have shown"
                " whether it is the same tenant",
                line.name, tenant.address, known.tenant.address,
            )  # fmt: skip


def run_round(line: Line) -> None:
    """Ask whose contactIds these are, once the destination answers and calls of a replaced pipeline have ended."""
    tenant = line.tenant.pending
    known = line.journal.tenants.current()
    if tenant is None or known is None or not line.breaker.allows_requests() or len(line.claims):
        return
    is_same = _is_same(line)
    if is_same is None:
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
    for key in keys:
        contact = line.journal.contacts.get(key)
        found = line.breaker.record(line.hooks.reconcile_contact(attrs.evolve(contact, contact_id="")))
        if isinstance(found, Identified):
            if found.contact_id == contact.contact_id:
                return True
        elif isinstance(found, Conflict):
            if contact.contact_id in found.found.values():
                return True
        elif found is not None:
            return None
    # Nothing can be compared: then the address decides.
    return not line.tenant.moved if not keys else False


def _replace(line: Line, known: KnownTenant, tenant: Tenant) -> None:
    ids = line.journal.contacts.counts()["known"]
    for path in line.journal.tenants.replace(tenant, line.clock.time()):
        path.unlink(missing_ok=True)
    _log.error(
        "pipeline %s: %s is another tenant than %s. %s of the former one no longer used, and looked up again;"
        " receipts that were not delivered go to the new one. Put the address back if that is a mistake",
        line.name, tenant.address, known.tenant.address, counted(ids, "contactId") + (" is" if ids == 1 else " are"),
    )  # fmt: skip
