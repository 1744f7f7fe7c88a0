"""The transitions of an outage that files decide: when they replace requests, and when the outage is over."""

from __future__ import annotations

import attrs

from tillpost.flow.breaker import CATCHING_UP, CONFIRMING, DEGRADED, FALLBACK, ONLINE, is_reachable
from tillpost.journal import Destination


def start_fallback(destination: Destination, now: float, after: float) -> Destination:
    """Write files once the destination has been unreachable for `after` seconds."""
    if (
        destination.state == DEGRADED
        and destination.unreachable_since is not None
        and now - destination.unreachable_since >= after
    ):
        return attrs.evolve(destination, state=FALLBACK, since=now, files_due=now)
    return destination


def advance(destination: Destination, now: float, to_upload: bool, to_confirm: bool) -> Destination:
    """Catching up while files are to be uploaded, confirming while their imports are to show, then online."""
    if not is_reachable(destination):
        return destination
    state = CATCHING_UP if to_upload else CONFIRMING if to_confirm else ONLINE
    if state == destination.state:
        return destination
    reason = {CATCHING_UP: "files are uploaded", CONFIRMING: "waiting for the import to show", ONLINE: ""}[state]
    return attrs.evolve(destination, state=state, since=now, reason=reason)
