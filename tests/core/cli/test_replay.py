"""`tillpost replay` on a journal: the plan, the question, and the trail of who asked for what."""

from __future__ import annotations

import getpass
from pathlib import Path

import pytest

from tests.support.command import CONFIG, call, objects
from tests.support.receipts import DOCUMENT, found
from tillpost.errors import UsageError
from tillpost.journal import Accepted, Journal, Move, State

DAYS = "--from", "2026-11-24", "--to", "2026-11-24"
WHY = "--reason", "the key was wrong"
ORDER = "--store", "12", *DAYS, *WHY


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    """Three held receipts, one delivered."""
    config = tmp_path / "tillpost.toml"
    config.write_text(CONFIG)
    journal = Journal(tmp_path / "state" / "shop")
    journal.receipts.accept([found(number=str(number)) for number in range(1, 5)], DOCUMENT, None, 100.0, Accepted())
    held = Move(state=State.HELD, reason="refused")
    journal.receipts.settle([(seq, held) for seq in (1, 2, 3)], 200.0, "deliver")
    journal.receipts.settle([(4, Move(state=State.DELIVERED, route="api"))], 200.0, "deliver")
    journal.close()
    return config


def states(shop: Path) -> list[str]:
    return [row["state"] for row in objects(call(shop, "receipts", "--json"))]


def test_the_plan_is_shown_and_nothing_done(shop: Path) -> None:
    (plan,) = objects(call(shop, "replay", "start", *ORDER, "--dry-run", "--json"))
    assert (plan["chosen"], plan["store"], plan["from"]) == (3, "12", "2026-11-24")
    assert plan["plan"]["send"] == {"count": 3, "amounts": {"SEK": "30.00"}}
    assert plan["plan"]["confirmed"] == {"count": 1, "amounts": {"SEK": "10.00"}}
    printed = call(shop, "replay", "start", *ORDER, "--dry-run").stdout
    assert "30.00 SEK" in printed
    assert "left: Engage has it" in printed
    assert states(shop) == ["held"] * 3 + ["delivered"]
    assert objects(call(shop, "replay", "list", "--json")) == []


def test_start_may_be_left_out(shop: Path) -> None:
    short, long = (call(shop, "replay", *words, *ORDER, "--dry-run", "--json") for words in ((), ("start",)))
    assert short.stdout == long.stdout != ""
    assert short.exit_code == 0


def test_without_a_person_or_yes_nothing_is_done(shop: Path) -> None:
    asked = call(shop, "replay", "start", *ORDER, "--detach")
    assert isinstance(asked.exception, UsageError)
    assert "--yes" in str(asked.exception)
    assert objects(call(shop, "replay", "list", "--json")) == []


def test_a_replay_is_entered_with_who_and_why_and_can_be_stopped_and_resumed(shop: Path) -> None:
    assert call(shop, "replay", "start", *ORDER, "--yes", "--detach").exit_code == 0
    (row,) = objects(call(shop, "replay", "list", "--json"))
    assert (row["id"], row["state"], row["chosen"], row["put_back"]) == (1, "running", 3, 0)
    assert getpass.getuser() in row["who"]
    assert row["reason"] == "the key was wrong"
    (stopped,) = objects(call(shop, "replay", "stop", "1", "--json"))
    assert stopped["state"] == "stopped"
    assert isinstance(call(shop, "replay", "stop", "1").exception, UsageError)
    (resumed,) = objects(call(shop, "replay", "resume", "1", "--detach", "--json"))
    assert resumed["state"] == "running"
    shown = call(shop, "replay", "show", "1").stdout
    assert "plan: send 3, confirmed 1" in shown
    (answer,) = objects(call(shop, "replay", "show", "1", "--json"))
    assert answer["plan"]["send"]["count"] == 3
    assert "the key was wrong" in call(shop, "replay", "list").stdout


def test_nothing_to_send_is_no_replay(shop: Path) -> None:
    answer = call(shop, "replay", "start", "--store", "13", *DAYS, *WHY, "--yes")
    assert (answer.exit_code, "nothing to send" in answer.stdout) == (0, True)
    assert objects(call(shop, "replay", "list", "--json")) == []


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["start", "--store", "12", "--from", "2026-11-24", "--to", "2026-11-23", *WHY], "is before"),
        (["start", "--store", "12", *DAYS, "--reason", "  "], "audit trail"),
        (["start", *ORDER, "--by", "file"], "fallback"),
        (["show", "7"], "no replay 7"),
        (["stop", "7"], "no replay 7"),
        (["resume", "7"], "no replay 7"),
    ],
)
def test_wrong_usage_says_what_is_wrong(shop: Path, words: list[str], said: str) -> None:
    error = call(shop, "replay", *words).exception
    assert isinstance(error, UsageError)
    assert said in str(error)
