"""What a pipeline may set for the adapter `receipts`."""

from __future__ import annotations

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """records: the member of an object around the receipts that holds them.

    largest: bytes one record may have (a line, or a whole file that is a JSON array); it is held in memory.
    """

    records: str = "receipts"
    largest: int = attrs.field(default=64 * 1024 * 1024, validator=attrs.validators.ge(1024))
