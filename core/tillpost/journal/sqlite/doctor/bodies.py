"""The body of a receipt, checked by its checksum."""

from __future__ import annotations

import hashlib

from tillpost.errors import InvalidValue
from tillpost.model import Receipt
from tillpost.model.receipt_json import loads


def decode_body(body: object, checksum: object) -> Receipt | None:
    """The receipt of a body; None when it is missing or damaged."""
    if not isinstance(body, bytes) or hashlib.sha256(body).digest() != checksum:
        return None
    try:
        return loads(body)
    except InvalidValue:
        return None
