"""Values as they stand in the files for Engage."""

from __future__ import annotations

import re
from decimal import Decimal
from typing import Any


def said(value: Any) -> str:
    """A value as an XML reader gets it back."""
    match value:
        case bool():
            return str(value).lower()
        case Decimal():
            return format(value or abs(value), "f")
    return re.sub("[^\t\n\r\x20-\ud7ff\ue000-\ufffd\U00010000-\U0010ffff]", "\ufffd", str(value))
