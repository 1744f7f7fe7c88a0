"""What a pipeline may set for the adapter `corner`."""

from __future__ import annotations

from typing import Literal
from zoneinfo import ZoneInfo

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """timezone: the zone the tills stand in; Corner writes UTC.

    customer: what a customer_id of Corner is to Engage. sku: which key of a line is the sku; the other stands in.
    """

    timezone: ZoneInfo
    customer: Literal["externalId", "memberNumber"] = "externalId"
    sku: Literal["catalog_object_id", "name"] = "catalog_object_id"
