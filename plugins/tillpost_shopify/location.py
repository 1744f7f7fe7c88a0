"""Store and time of an order or a refund."""

from __future__ import annotations

from datetime import datetime

from tillpost import InvalidValue
from tillpost.kit import JsonObject, parse_time
from tillpost_shopify.settings import Settings


def first_text(objects: list[JsonObject], name: str) -> str:
    """The text of this member in the first object that has it; "" when none has."""
    return next((text for item in objects if (text := item.text(name, ""))), "")


def store(location_id: str, place: str, settings: Settings) -> str:
    """The store of a location: by the setting `stores`, else its id; the setting `store` without a location."""
    found = settings.stores.get(location_id, location_id) if location_id else settings.store
    if not found:
        raise InvalidValue("location_id is missing; set `store` for orders without one", place=place)
    return found


def time(body: JsonObject, settings: Settings) -> tuple[datetime, tuple[str, ...]]:
    """When it was processed: the shop's local time with its offset, as Shopify writes it."""
    name = "processed_at" if body.has("processed_at") else "created_at"
    written, place = body.text(name), f"{body.place}.{name}"
    if settings.timezone is not None:
        return parse_time(written, settings.timezone, place)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise InvalidValue("not an ISO 8601 time such as 2026-01-31T12:00:00+01:00", place=place) from None
    if moment.tzinfo is None:
        raise InvalidValue("the time has no offset; set `timezone`", place=place)
    return moment, ()
