"""Where and when: store, till and time of an order or a refund."""

from __future__ import annotations

from datetime import datetime

from tillpost import InvalidValue
from tillpost.kit import JsonObject, parse_time
from tillpost_shopify.settings import Settings


def first_text(objects: list[JsonObject], name: str) -> str:
    """The first that has this member, as text; "" when none has."""
    return next((text for each in objects if (text := each.text(name, ""))), "")


def store(location: str, place: str, settings: Settings) -> str:
    """The store of a location, by `stores`, else the location itself; of none, the setting `store`."""
    found = settings.stores.get(location, location) if location else settings.store
    if not found:
        raise InvalidValue("location_id is missing; set `store` for orders without one", place=place)
    return found


def time(body: JsonObject, settings: Settings) -> tuple[datetime, tuple[str, ...]]:
    """When it was processed, as Shopify writes it: the shop's local time with its offset."""
    name = "processed_at" if body.has("processed_at") else "created_at"
    written, where = body.text(name), f"{body.place}.{name}"
    if settings.timezone is not None:
        return parse_time(written, settings.timezone, where)
    try:
        moment = datetime.fromisoformat(written)
    except ValueError:
        raise InvalidValue("not an ISO 8601 time such as 2026-01-31T12:00:00+01:00", place=where) from None
    if moment.tzinfo is None:
        raise InvalidValue("the time has no offset; set `timezone`", place=where)
    return moment, ()
