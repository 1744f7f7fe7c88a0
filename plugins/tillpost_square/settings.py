"""What a pipeline may set for the adapter `square`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import IdentifierKind


@attrs.frozen(kw_only=True)
class Settings:
    """Only the first must be given.

    timezone: the zone the tills stand in; Square writes UTC.
    stores: location_id → store; a location that is not in it keeps its id.
    customer: what a customer_id of Square is to Engage.
    sku: which key of a line is the sku; the other stands in.
    tenders: type of a tender of Square, or of an external payment → payment type of Engage, over the built-in table.
    largest: bytes that one answer may have.
    """

    timezone: ZoneInfo
    stores: dict[str, str] = attrs.field(factory=dict)
    customer: IdentifierKind = "externalId"
    sku: Literal["catalog_object_id", "name"] = "catalog_object_id"
    tenders: dict[str, str] = attrs.field(factory=dict)
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
