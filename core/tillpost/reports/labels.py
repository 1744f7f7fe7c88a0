"""Words for people in place of values that the journal stores and JSON shows."""

from tillpost.journal.states import ACCEPTED_BY_API, VERIFIED

CONFIRMED = {"": "", ACCEPTED_BY_API: "accepted by API", VERIFIED: "verified"}
ROUTES = {"": "", "api": "by API", "file": "by file"}
CONTACTS = {"conflicts": "in conflict", "unsaved": "with unsaved fields"}
"""Of the counts of contacts, those that do not read as they are."""
