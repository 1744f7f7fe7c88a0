"""Text of a till, made fit to go on: without what no file to Engage could carry."""

from __future__ import annotations

import re
from typing import Any

CLEANED = "control-characters"
"""The flag of a receipt out of whose text such characters were taken; the record is kept as it came."""

# What XML 1.0 (section 2.2) cannot carry; tab and line ends stay.
_UNCARRIED = re.compile("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]")


def clean(value: Any) -> tuple[Any, int]:
    """The value (text, or lists and dicts of it) without characters that XML 1.0 forbids, and how many there were.

    They are control characters, lone surrogates, U+FFFE and U+FFFF.
    """
    if isinstance(value, str):
        return _UNCARRIED.subn("", value)
    if isinstance(value, list):
        items = [clean(item) for item in value]
        return [item for item, _ in items], sum(count for _, count in items)
    if isinstance(value, dict):
        pairs = {name: clean(item) for name, item in value.items()}
        return {name: item for name, (item, _) in pairs.items()}, sum(count for _, count in pairs.values())
    return value, 0
