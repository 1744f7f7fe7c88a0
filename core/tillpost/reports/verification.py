"""How verification stands, in the words that status, page and day share: share, lag and cost."""

from __future__ import annotations

from typing import Any

from tillpost.clock import iso
from tillpost.journal import HistoryState, VerificationStand
from tillpost.terminal import counted, span, when


def to_json(stand: VerificationStand) -> dict[str, Any]:
    """Every figure. share: from 0 to 1; null without a delivery."""
    return {
        "history": str(stand.history),
        "reason": stand.reason,
        "since": when(stand.since or None),
        "share": None if stand.share is None else round(stand.share, 6),
        "verified": dict(stand.verified),
        "waiting": stand.waiting,
        "oldest_waiting_since": when(stand.oldest),
        "not_verified": stand.unverified,
        "lag_seconds": None if stand.lag is None else round(stand.lag, 1),
        "looks": stand.looks,
        "requests": stand.requests,
    }


def sentence(stand: VerificationStand | None, now: float) -> str:
    """In words; "" before the first delivery. now: seconds since 1970."""
    if stand is None:
        return ""
    verified = sum(stand.verified.values())
    delivered = verified + stand.waiting + stand.unverified
    if not delivered:
        return ""
    if stand.history is HistoryState.NOT_TO_BE_HAD:
        return (
            f"not to be had here ({stand.reason}, asked at {iso(stand.since)}): {delivered - verified:,} of"
            f" {counted(delivered, 'delivered receipt')} accepted by Engage and not verified"
        )
    share = f"{verified:,} of {counted(delivered, 'delivered receipt')} ({_percent(stand.share or 0.0)})"
    oldest = f", the oldest for {span(now - stand.oldest)}" if stand.oldest is not None else ""
    waiting = f"{stand.waiting:,} {'waits' if stand.waiting == 1 else 'wait'}{oldest}" if stand.waiting else ""
    never = f"{stand.unverified:,} not looked for" if stand.unverified else ""
    lag = f"{span(stand.lag)} from delivered to verified" if stand.lag is not None else ""
    cost = counted(stand.requests, "request") if stand.looks else ""
    return "; ".join(part for part in (share, waiting, never, lag, cost) if part)


def _percent(share: float) -> str:
    """Never rounded up to 100."""
    return "100 %" if share == 1.0 else f"{int(share * 1000) / 10} %"
