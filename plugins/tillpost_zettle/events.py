"""The messages Zettle pushes: an envelope with the name of an event, and its payload as JSON in a text."""

from __future__ import annotations

from tillpost import InvalidValue
from tillpost.kit import JsonObject, parse_clean_json
from tillpost_zettle.identity import is_purchase


def is_event(form: JsonObject) -> bool:
    """Whether an object is the envelope of a push."""
    return form.has("eventName") and not is_purchase(form)


def purchase_of(event: JsonObject) -> tuple[JsonObject | None, int]:
    """The purchase of an event, None for one about something else; and how many characters were removed from it.

    Raises InvalidValue when the payload cannot be read.
    """
    payload, removed = event.values.get("payload"), 0
    place = f"{event.place}.payload"
    if isinstance(payload, str) and payload.strip():
        try:
            payload, removed = parse_clean_json(payload.encode(), place=place)
        except (InvalidValue, UnicodeEncodeError):
            if event.text("eventName") == "PurchaseCreated":
                raise InvalidValue("is not JSON", place=place) from None
            return None, 0
    if event.text("eventName") != "PurchaseCreated" and not (isinstance(payload, dict) and _has_sale(payload)):
        return None, 0
    purchase = JsonObject.of(payload, place)
    if not (purchase.has("organizationId") or purchase.has("organizationUuid")) and event.has("organizationUuid"):
        organisation = {"organizationUuid": event.values["organizationUuid"]}
        purchase = JsonObject({**purchase.values, **organisation}, place)
    return purchase, removed


def _has_sale(payload: dict[str, object]) -> bool:
    """Whether a payload holds what a purchase has: articles or payments with an amount."""
    return "amount" in payload and ("products" in payload or "payments" in payload)
