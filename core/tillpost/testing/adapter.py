"""The promises of an adapter."""

from __future__ import annotations

from tillpost.testing.damaged import DamagedPromises
from tillpost.testing.sales import SalePromises


class AdapterSuite(DamagedPromises, SalePromises):
    """What a receipt must be, whoever's till it comes from.

    Subclass it with `plugin`, `settings` and what differs in the vendor's format (`AdapterReading` has it all).
    """

    never_waived = frozenset(
        {"sale", "ids", "local_time", "day", "same_twice", "crash", "empty_file", "wrong_encoding"}
    )
