"""docs/config.md has every key of the core with its default."""

from __future__ import annotations

import re
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost.compose.config import LISTS, POLICIES, REQUIRED
from tillpost.compose.hook_faults import HOOKS
from tillpost.compose.values import duration
from tillpost.plugin import SLOTS

DOCS = Path(__file__).parents[3] / "docs" / "config.md"


def _rows(heading: str) -> dict[str, list[str]]:
    text = DOCS.read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert section is not None, heading
    rows = [line.strip("|").split("|") for line in section[1].splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row] for row in rows}


@pytest.mark.parametrize("slot", POLICIES)
def test_every_key_the_core_takes_from_a_slot_stands_with_its_default(slot: str) -> None:
    rows = _rows(f"`{slot}`")
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(POLICIES[slot])
    assert list(rows) == [field.name for field in fields]
    for field in fields:
        written = rows[field.name][2].strip('`"')
        if isinstance(field.default, timedelta):
            assert duration(written) == field.default
        else:
            assert written == str(field.default)


def test_every_slot_stands_with_whether_it_is_needed() -> None:
    rows = _rows("Slots")
    assert tuple(rows) == SLOTS == tuple(HOOKS)
    assert tuple(slot for slot in SLOTS if rows[slot][1] == "yes") == REQUIRED
    assert tuple(slot for slot in SLOTS if "a list" in rows[slot][2]) == LISTS
