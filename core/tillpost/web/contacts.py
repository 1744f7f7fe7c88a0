"""The contacts that are pending, in conflict or have unsaved fields."""

from __future__ import annotations

from tillpost.web.request import Answer, Request
from tillpost.web.site import LISTED, Site


def show(site: Site, request: Request) -> Answer:
    """`/contacts`"""
    pipelines = [
        (name, journal.contacts.counts(), journal.search.open_contacts(LISTED))
        for name, journal in site.journals.items()
    ]
    return site.page(request, "contacts.html", pipelines=pipelines)
