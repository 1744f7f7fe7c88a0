"""Rules about fallback files."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.journal.queries.file_states import StuckFile


def not_consumed(context: Context) -> Iterable[Problem]:
    return map(stuck_file, context.journal.file_states.stuck())


def stuck_file(file: StuckFile) -> Problem:
    """A fallback file that is not taken or not imported."""
    return Problem(
        f"not_consumed {file.name}",
        f"file {file.name} is still {file.state}: {file.reason}",
        "The receipts in it are not in Engage yet.",
        "Check the folder and its permissions; ask for the import. `tillpost files show` has more.",
    )
