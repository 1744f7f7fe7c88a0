"""Which purchase it is: one UUID, which Zettle writes in three ways.

The Purchase API has it twice: as `purchaseUUID1`, and as the deprecated `purchaseUUID`, the same 16 bytes in URL-safe
base64. A push has it as `purchaseUuid`. Older answers have the deprecated one alone.
"""

from __future__ import annotations

import base64
import binascii
import contextlib
import uuid

from tillpost import InvalidValue
from tillpost.kit import JsonObject

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


def former_numbers(purchase: JsonObject) -> tuple[str, ...]:
    """The numbers that ids were made of before `purchaseUUID1` was read: the deprecated UUID."""
    found = [purchase.text_or_empty("purchaseUUID")]
    with contextlib.suppress(ValueError):  # where it is no UUID, it has no other form
        found.append(base64.urlsafe_b64encode(uuid.UUID(own_id(purchase)).bytes).decode().rstrip("="))
    return tuple(dict.fromkeys(filter(None, found)))


def _first(purchase: JsonObject, names: tuple[str, ...]) -> str:
    return next((_as_uuid(text) for name in names if (text := purchase.text(name, ""))), "")


def _as_uuid(text: str) -> str:
    """The UUID as text with hyphens; what is no UUID as it is written."""
    with contextlib.suppress(ValueError):
        return str(uuid.UUID(text))
    try:
        content = base64.b64decode(f"{text}==", altchars=b"-_", validate=True) if len(text) == 22 else b""
    except (binascii.Error, ValueError):
        return text
    return str(uuid.UUID(bytes=content)) if len(content) == 16 else text
