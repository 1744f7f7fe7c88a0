"""Words for people in place of values that the journal stores and JSON shows."""

from __future__ import annotations

from tillpost.journal.states import ACCEPTED_BY_API, ACCEPTED_BY_IMPORT, VERIFIED

CONFIRMED = {
    "": "", ACCEPTED_BY_API: "accepted by API", ACCEPTED_BY_IMPORT: "accepted by import", VERIFIED: "verified",
}  # fmt: skip
ROUTES = {"": "", "api": "by API", "file": "by file"}
CONTACTS = {"conflicts": "in conflict", "unsaved": "with unsaved fields"}
"""Of the counts of contacts, those that do not read as they are."""


def delivery(route: str, confirmed: str) -> str:
    """What follows `delivered`: `, accepted by API`, or the route and that it is verified; "" before."""
    by = f" {ROUTES[route]}" if route and confirmed != ACCEPTED_BY_API else ""
    return by + (f", {CONFIRMED[confirmed]}" if confirmed else "")
