"""The fallback files."""

from __future__ import annotations

from tillpost.journal import FileState
from tillpost.web.request import Answer, Request
from tillpost.web.site import LISTED, Site


def show(site: Site, request: Request) -> Answer:
    """`/files`"""
    pipelines = [
        (
            name,
            journal.file_states.counts(),
            [file for state in FileState for file in journal.search.files(state, LISTED)],
        )
        for name, journal in site.journals.items()
    ]
    return site.page(request, "files.html", pipelines=pipelines)
