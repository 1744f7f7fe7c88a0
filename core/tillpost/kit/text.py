"""Text of a till, without characters that no file to Engage can carry."""

from __future__ import annotations

import re
from typing import Any

from tillpost.errors import InvalidValue

CONTROL_CHARACTERS = "control-characters"
"""The flag of a receipt whose text had such characters; the journal keeps the record as it came."""

# Every character XML 1.0 (fifth edition, section 2.2) forbids; tab and line ends are allowed.
FORBIDDEN = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(value: Any) -> tuple[Any, int]:
    """The value (text, or lists and dicts of it) without characters that XML 1.0 forbids, and how many it had.

    Forbidden are control characters, lone surrogates, U+FFFE and U+FFFF. Keys are cleaned too: they go into messages,
    and into what a receipt carries. Raises InvalidValue when two keys are the same without such characters.
    """
    if isinstance(value, str):
        return FORBIDDEN.subn("", value)
    if isinstance(value, list):
        items = [clean(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = [(*clean(name), *clean(item)) for name, item in value.items()]
        cleaned = {name: item for name, _, item, _ in pairs}
        if len(cleaned) != len(pairs):
            raise InvalidValue("two keys differ by characters that no text may have")
        return cleaned, sum(of_name + of_item for _, of_name, _, of_item in pairs)
    return value, 0


def quoted(value: str) -> str:
    """A value for a message: in quotes, shortened; of words, which may be a name, two characters and the length."""
    shown = FORBIDDEN.sub("", " ".join(value.split()))
    if sum(char.isalpha() for char in shown) > 5 or "@" in shown:
        return masked(shown)
    return f'"{shown}"' if len(shown) <= 40 else f'"{shown[:39]}…"'


def masked(value: str) -> str:
    """A customer's key for a message: its first two characters and its length."""
    return f'"{value[:2]}…" ({len(value)} characters)'
