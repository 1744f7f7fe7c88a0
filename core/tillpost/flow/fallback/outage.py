"""An outage as seen by the files: when they are written in place of requests, and when it is over."""

from __future__ import annotations

import attrs

from tillpost.flow.breaker import CATCHING_UP, CONFIRMING, DEGRADED, FALLBACK, ONLINE, is_reachable
from tillpost.journal import Destination


def start_fallback(destination: Destination, now: float, after: float) -> Destination:
    """Unreachable for so long that files are written instead."""
    if (
        destination.state == DEGRADED
        and destination.unreachable_since is not None
        and now - destination.unreachable_since >= after
    ):
        return attrs.evolve(destination, state=FALLBACK, since=now, files_due=now)
    return destination


def advance(destination: Destination, now: float, to_upload: bool, to_confirm: bool) -> Destination:
    """catching up while files have to go up, confirming while ids and proofs are outstanding, then online."""
    if not is_reachable(destination):
        return destination
    state = CATCHING_UP if to_upload else CONFIRMING if to_confirm else ONLINE
    if state == destination.state:
        return destination
    reason = {CATCHING_UP: "files go up", CONFIRMING: "waiting for the import to show", ONLINE: ""}[state]
    return attrs.evolve(destination, state=state, since=now, reason=reason)
