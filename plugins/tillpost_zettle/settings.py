"""What a pipeline may set for the adapter `zettle`."""

from __future__ import annotations

from zoneinfo import ZoneInfo

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """Only the time zone must be given.

    timezone: the zone of the shop; Zettle writes UTC.
    stores: organizationId → store; an organisation that is not named is its own id.
    tenders: payment type of Zettle → payment type of Engage, over the built-in table.
    largest: bytes one purchase may have, or a whole file that is not JSON lines.
    """

    timezone: ZoneInfo
    stores: dict[str, str] = attrs.field(factory=dict)
    tenders: dict[str, str] = attrs.field(factory=dict)
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
