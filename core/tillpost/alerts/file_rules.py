"""Rules about fallback files."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.clock import iso
from tillpost.journal.queries.file_states import StuckFile


def not_consumed(context: Context) -> Iterable[Problem]:
    return map(stuck_file, context.journal.file_states.stuck())


def file_server(context: Context) -> Iterable[Problem]:
    known = context.journal.file_server.get()
    if known is not None and known.is_down:
        needed = any(context.journal.file_states.open_states())
        yield Problem(
            "file_server",
            f"the file server cannot be used since {iso(known.since)}: {known.reason}",
            "Fallback files wait until it can be used."
            if needed
            else "Nothing is late while the API answers. In an outage no fallback file would go up.",
            "Fix what the reason names, then run `tillpost check`, which tries it with a file.",
        )


def stuck_file(file: StuckFile) -> Problem:
    """A fallback file that is not taken or not imported."""
    return Problem(
        f"not_consumed {file.name}",
        f"file {file.name} is still {file.state}: {file.reason}",
        "The receipts in it are not in Engage yet.",
        "Check the folder and its permissions; ask for the import. `tillpost files show` has more.",
    )
