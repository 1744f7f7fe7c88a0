"""The flags that acceptance adds to those of the adapter, whichever it is. Pure."""

from __future__ import annotations

from datetime import timedelta

from tillpost.model import IdentifierRules, Receipt
from tillpost.model.contradictions import contradictions

CLOCK_OFF = "clock-off"
"""Flag of a receipt whose time cannot be right, because the till's clock is wrong. It is sent as printed."""
_MAX_AHEAD = 3600.0
"""Seconds by which a receipt's time may be ahead of this machine's clock; clocks in step differ by far less."""
_MAX_DAYS_APART = timedelta(days=1)
"""A business date and the time of a sale differ by a day at most, in a shop that is open past midnight."""


def flags_at_acceptance(receipt: Receipt, now: float, rules: IdentifierRules) -> list[str]:
    """What the receipt gets beside its own flags: a wrong clock, an identifier no destination takes, taxes that differ.

    now: seconds since 1970. A customer is not looked up by an identifier no destination takes.
    """
    flags = list(contradictions(receipt))
    apart = abs(receipt.created.date() - receipt.business_date)
    if receipt.created.timestamp() - now > _MAX_AHEAD or apart > _MAX_DAYS_APART:
        flags.append(CLOCK_OFF)
    if receipt.customer is not None:
        flags += rules.flags(receipt.customer, receipt.store)
    return [flag for flag in flags if flag not in receipt.flags] if flags else flags
