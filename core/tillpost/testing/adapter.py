"""The promises of an adapter."""

from __future__ import annotations

from tillpost.testing.robustness_promises import RobustnessPromises
from tillpost.testing.sale_promises import SalePromises


class AdapterSuite(RobustnessPromises, SalePromises):
    """What every receipt must be, whichever till it comes from.

    Subclass it with `plugin`, `settings` and what differs in the vendor's format; SampleSuite lists the attributes.
    """

    never_waived = frozenset(
        {"sale", "ids", "local_time", "day", "same_twice", "crash", "empty_file", "wrong_encoding"}
    )
