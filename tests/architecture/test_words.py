"""One word for one thing: words that users stumbled over, and module names nobody could guess, do not come back."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
OLD_NAMES = (
    "core/tillpost/journal/sqlite/schema.py",  # upgrades of earlier journals, which have them
    "core/tillpost/journal/sqlite/old_names.py",
    "docs/operators/upgrade.md",
    "docs/decisions/0001-the-house.md",  # why they stand there
    "docs/decisions/0019-database-seam.md",
    "docs/changes/0026-the-house.md",  # what is called otherwise now
)
"""Files that must name what is no longer called so."""

# Each has a class of one letter, so that no search for the word finds it here.
WORDS = (
    r"[Ff]ar[ ]side",
    r"\b[Ff]ile[ ]mode\b",
    r"\b[Rr]econcilin[g]\b",
    r"[Ss]poo[l]",
    r"[Jj]ournalle[d]",
    r"(?<!if )(?<!and )\bnot receipt[s]\b",
    r"\bleft[ _]ou[t]\b",
    r"\bprove[n]\b",
    r"\b(Enter|Forget) toke[n]\b",
    r"\bLoad agai[n]\b",
    r"\bThat did not wor[k]\b",
    r"\bNobody is neede[d]\b",
    r"\b[Mm]en(d|ds|ded|ding)\b(?<!amend)",
    r"\b[Aa]ne[w]\b",
    r"\bput righ[t]\b",
    r"(?<!there )(?<!There )\bis no (known|folde[r])\b",
    r"\bany key is neve[r]\b",
    r"tenant_stat[e]",
    r"LawBroke[n]",
    r"\basked again a[t]\b",
    r"\bIts lif[e]\b",
    r"\b1 (documents|times|receipts|files|records)\b",
)
KINDS = {".py", ".md", ".toml", ".html", ".css", ".template", ".yml"}
FILES = [
    path
    for top in ("README.md", "core", "plugins", "docs")
    for path in sorted([ROOT / top, *(ROOT / top).rglob("*")])
    if path.suffix in KINDS and path.relative_to(ROOT).as_posix() not in OLD_NAMES
]


@pytest.mark.parametrize("word", WORDS)
def test_no_page_message_or_line_of_code_has_the_word(word: str) -> None:
    found = [
        f"{path.relative_to(ROOT)}:{number}: {line.strip()[:100]}"
        for path in FILES
        for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), 1)
        if re.search(word, line)
    ]
    assert not found, "\n".join(found)


@pytest.mark.parametrize("name", OLD_NAMES)
def test_a_file_that_is_excepted_is_there(name: str) -> None:
    assert (ROOT / name).is_file()
