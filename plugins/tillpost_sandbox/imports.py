"""The import of receipts, the same for both routes: which are saved, ignored, or dropped with a line in the log.

Source: contract, section 2 (Save a receipt) and section 3 (a receipt already in Engage is ignored, one whose
contact or store is missing is silently ignored).
"""

from decimal import Decimal
from typing import Any

from tillpost_sandbox import wire
from tillpost_sandbox.identifiers import match_key_type
from tillpost_sandbox.receipts import sum_difference, unknown_fields
from tillpost_sandbox.settings import Settings
from tillpost_sandbox.state import Contact, Receipt, State


def import_queue(state: State, settings: Settings) -> int:
    """Import what the API accepted, in the order of arrival; returns how many were settled."""
    with state.lock:
        waiting = list(state.queue.values())
        for receipt in waiting:
            settle(state, settings, receipt)
    return len(waiting)


def settle(state: State, settings: Settings, receipt: Receipt) -> str:
    """Save a receipt, ignore it as a duplicate, or drop it; returns which. The log says why."""
    about = {"receipt": receipt.unique_id, "file": receipt.file}
    saved = state.receipts.get(receipt.unique_id)
    if saved is not None:
        differing = differences(saved.body, receipt.body)
        level, tail = ("warning", f"; it differs in {', '.join(differing)}") if differing else ("info", "")
        state.note(level, "duplicate", f"a receipt with this uniqueReceiptId exists, ignored{tail}", **about)
        state.settle(receipt, "ignored", saved.contact_id)
        return "ignored"
    found = _contacts(state, receipt.body["contact"])
    if len(found) != 1:
        kind, why = ("contact-ambiguous", "several contacts have") if found else ("contact-missing", "no contact has")
        key_type = match_key_type(receipt.body["contact"]["matchKeyType"]) or "unknown"
        state.note("error", kind, f"{why} this matchKey of type {key_type}, dropped", **about)
        state.settle(receipt, "dropped")
        return "dropped"
    if settings.stores is not None and receipt.body["storeExternalId"] not in settings.stores:
        state.note("error", "store-missing", "no store has this storeExternalId, dropped", **about)
        state.settle(receipt, "dropped")
        return "dropped"
    if settings.ignores(receipt.unique_id):
        state.note("error", "rule", "a rule of the tenant leaves it out, dropped", **about)
        state.settle(receipt, "dropped")
        return "dropped"
    _warn(state, settings, receipt, about)
    state.settle(receipt, "imported", found[0].id)
    return "imported"


def differences(one: dict[str, Any], other: dict[str, Any]) -> list[str]:
    """The top-level fields in which two receipts differ; not `contact`, because a person has several keys."""
    names = (set(one) | set(other)) - {"contact"}
    return sorted(name for name in names if _canonical(one.get(name)) != _canonical(other.get(name)))


def fingerprint(receipt: Receipt) -> str:
    """Content and contact of a sale: equal for the same sale under different uniqueReceiptIds."""
    content = {name: value for name, value in receipt.body.items() if name not in ("contact", "uniqueReceiptId")}
    return wire.dumps([receipt.contact_id, _canonical(content)])


def _canonical(value: Any) -> Any:
    """Numbers by value, empty values as absent: 12.5 equals 12.50, and an empty list equals none."""
    match value:
        case bool():
            return value
        case int() | Decimal():
            return format(Decimal(value).normalize(), "f")
        case dict():
            pairs = ((name, _canonical(entry)) for name, entry in sorted(value.items()))
            return {name: entry for name, entry in pairs if entry is not None}
        case list():
            return [_canonical(entry) for entry in value] or None
        case "":
            return None
    return value


def _contacts(state: State, contact: dict[str, Any]) -> list[Contact]:
    kind = match_key_type(contact["matchKeyType"]) or ""
    found = state.find(kind, contact["matchKey"])
    if kind == "contactId":
        return found
    wanted = (contact.get("contactType") or "Member").casefold()
    return [one for one in found if one.contact_type.casefold() == wanted]


def _warn(state: State, settings: Settings, receipt: Receipt, about: dict[str, str | None]) -> None:
    body = receipt.body
    difference = sum_difference(body, settings.price_basis)
    if difference:
        basis = settings.price_basis
        message = f"totalGrossPrice and the sum of the lines differ by {difference} (price basis {basis})"
        state.note("warning", "sum-mismatch", message, **about)
    if body["createdDate"].endswith("Z"):
        state.note("warning", "created-date-utc", "createdDate is in UTC, not local time with its offset", **about)
    unknown = unknown_fields(body)
    if unknown:
        state.note("warning", "unknown-field", f"not in the contract: {', '.join(unknown)}", **about)
