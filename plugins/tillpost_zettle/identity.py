"""Which purchase it is: one UUID, which Zettle writes in three ways.

The Purchase API has it twice: as `purchaseUUID1`, and as the deprecated `purchaseUUID`, the same 16 bytes in URL-safe
base64. A push has it as `purchaseUuid`. Older answers have the deprecated one alone.
"""

from __future__ import annotations

import base64
import binascii
import re
import uuid

from tillpost import InvalidValue
from tillpost.kit import JsonObject

_UUID = re.compile(r"[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}")
_OWN = ("purchaseUUID1", "purchaseUuid", "purchaseUUID")
_REFUNDED = ("refundsPurchaseUUID1", "refundsPurchaseUuid", "refundsPurchaseUUID")


def own_id(purchase: JsonObject) -> str:
    """The UUID of the purchase. Raises InvalidValue when it has none."""
    if found := _first(purchase, _OWN):
        return found
    raise InvalidValue(f"key {_OWN[0]!r} is missing, and so are {_OWN[1]} and {_OWN[2]}", place=purchase.place)


def refunded_id(purchase: JsonObject) -> str:
    """The UUID of the purchase that this one refunds, "" for none."""
    return _first(purchase, _REFUNDED)


def is_purchase(form: JsonObject) -> bool:
    """Whether an object names a purchase."""
    return any(form.has(name) for name in _OWN)


def former_number(purchase: JsonObject, own: str) -> str:
    """The number that ids were made of before `purchaseUUID1` was read: the deprecated UUID, as written or as it was.

    own: as `own_id` has it. "" where there never was another.
    """
    written = purchase.text_or_empty("purchaseUUID")
    if written or not _UUID.fullmatch(own):
        return written
    return base64.urlsafe_b64encode(bytes.fromhex(own.replace("-", ""))).decode().rstrip("=")


def _first(purchase: JsonObject, names: tuple[str, ...]) -> str:
    for name in names:
        if text := purchase.text(name, ""):
            return text if _UUID.fullmatch(text) else _decoded(text)
    return ""


def _decoded(text: str) -> str:
    """The UUID in small letters with hyphens; what is no UUID as it is written."""
    if _UUID.fullmatch(text.lower()):
        return text.lower()
    try:
        content = base64.b64decode(f"{text}==", altchars=b"-_", validate=True) if len(text) == 22 else b""
    except (binascii.Error, ValueError):
        return text
    return str(uuid.UUID(bytes=content)) if len(content) == 16 else text
