"""The page docs/integrators/formats.md, from the tables of formats in the READMEs of the bundled adapters.

Write it again with `python -m tests.support.formats`.
"""

from __future__ import annotations

import re
from pathlib import Path

from tests.support.matrix import adapters

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "integrators" / "formats.md"
COLUMNS = 4

HEAD = """\
# Formats that are read

Generated from the READMEs of the adapters by `python -m tests.support.formats`; a test compares it. *Vendors met*:
whose files, exporters or documentation the adapter was written with; another vendor's file of the same format
may be read all the same. `tillpost adapter try NAME FILE` shows what becomes of yours, which dialect it was taken for,
and what a person should look at.

The rule for all of them: where a flag, a sign or a name and the record's own numbers disagree, the reading that adds up
is taken, and the receipt says so with a flag ([mapping.md](mapping.md#flags)). Where none adds up the record is held,
with the difference of each reading. What holds money, lines or tenders is never ignored; a document in which nothing
was recognised is refused.

What each adapter passes on: [capability-matrix.md](capability-matrix.md). Damaged and hostile files:
[bad-input.md](bad-input.md).
"""


def formats(name: str) -> list[str]:
    """The rows of the adapter's table of formats."""
    readme = ROOT / "plugins" / f"tillpost_{name.replace('-', '_')}" / "README.md"
    found = re.search(r"^\| format \|.*\n\|[-|]+\|\n((?:\|.*\n)+)", readme.read_text(encoding="utf-8"), re.M)
    return found[1].splitlines() if found else []


def page() -> str:
    """The page's text."""
    lines = [HEAD, "| adapter | format | vendors met | what is read | what is held, and why |", "|---|---|---|---|---|"]
    lines += [f"| `{name}` {row}" for name in adapters() for row in formats(name)]
    return "\n".join(lines) + "\n"


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
