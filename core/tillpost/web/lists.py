"""The fallback files, and the contacts a person may want to see."""

from __future__ import annotations

from tillpost.journal import FileState
from tillpost.web.desk import Desk
from tillpost.web.request import Answer, Request

MOST = 100
"""Rows of a state, and of contacts."""


def files(desk: Desk, request: Request) -> Answer:
    """`/files`"""
    pipelines = [
        (
            name,
            journal.file_states.counts(),
            [each for state in FileState for each in journal.search.files(state, MOST)],
        )
        for name, journal in desk.journals.items()
    ]
    return desk.page(request, "files.html", pipelines=pipelines, most=MOST)


def contacts(desk: Desk, request: Request) -> Answer:
    """`/contacts`"""
    pipelines = [
        (name, journal.contacts.counts(), journal.search.open_contacts(MOST)) for name, journal in desk.journals.items()
    ]
    return desk.page(request, "contacts.html", pipelines=pipelines, most=MOST)
