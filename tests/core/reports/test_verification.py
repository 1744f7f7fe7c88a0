"""How verification stands, in one voice for status, page, day and metrics."""

from __future__ import annotations

from typing import Any

import attrs
import pytest

from tillpost.journal import HistoryState, VerificationStand
from tillpost.reports.verification import sentence, to_json

NOW = 1_800_000_000.0
STAND = VerificationStand(
    history=HistoryState.THERE, reason="", since=NOW - 9, verified={"api": 1999, "file": 0}, waiting=1,
    oldest=NOW - 7300, unverified=0, lag=1300.0, looks=40, requests=44,
)  # fmt: skip
TAIL = "21 min from delivered to verified; 44 requests"


@pytest.mark.parametrize(
    ("changes", "said"),
    [
        ({}, f"1,999 of 2,000 delivered receipts (99.9 %); 1 waits, the oldest for 2 h; {TAIL}"),
        ({"waiting": 0, "oldest": None}, f"1,999 of 1,999 delivered receipts (100 %); {TAIL}"),
        (
            {"verified": {"api": 0, "file": 0}, "waiting": 0, "oldest": None, "unverified": 3, "lag": None, "looks": 0},
            "0 of 3 delivered receipts (0.0 %); 3 not looked for",
        ),
        ({"verified": {"api": 0, "file": 0}, "waiting": 0, "oldest": None}, ""),
        (
            {"history": HistoryState.NOT_TO_BE_HAD, "reason": "answered 404 for the history of a contact"},
            "not to be had here (answered 404 for the history of a contact, asked at ",
        ),
    ],
)  # fmt: skip
def test_share_lag_and_cost_in_words(changes: dict[str, Any], said: str) -> None:
    found = sentence(attrs.evolve(STAND, **changes), NOW)
    if said.endswith("asked at "):
        assert found.startswith(said)
        assert found.endswith(": 1 of 2,000 delivered receipts accepted by Engage and not verified")
    else:
        assert found == said


def test_the_same_figures_in_json() -> None:
    figures = to_json(STAND)
    assert (figures["share"], figures["waiting"], figures["lag_seconds"], figures["requests"]) == (
        0.9995,
        1,
        1300.0,
        44,
    )
    assert to_json(attrs.evolve(STAND, verified={}, waiting=0))["share"] is None
