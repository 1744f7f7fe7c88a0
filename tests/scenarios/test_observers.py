"""B6: an observer whose other side is away while the process is killed: it gets every event, in order, with the real
launcher."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

from tests.support.installed import installed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop

PLUGIN = """
from pathlib import Path

import attrs
from tillpost import hookimpl, simple
from tillpost.model import NotSent


@attrs.frozen
class Settings:
    path: Path
    needs: Path | None = None


@attrs.frozen
class Log:
    settings: Settings

    @hookimpl
    def observe(self, event):
        needs = self.settings.needs
        if needs is not None and not needs.exists():
            return NotSent(reason="the chat is away")
        with self.settings.path.open("a") as file:
            file.write(f"{event['seq']}\\n")
        return None


plugin = simple("a log of events", "observe", Settings, lambda settings, context: Log(settings))
"""
OWN = 'observe = [ { use = "log", path = "chat.log", needs = "chat" }, { use = "log", path = "all.log" } ]'


def seen(path: Path) -> list[int]:
    return [int(line) for line in path.read_text().split()] if path.exists() else []


def test_b6_an_observer_that_is_away_over_two_kills_gets_every_event_in_order(tmp_path: Path) -> None:
    with Shop(tmp_path, own=OWN) as shop:
        shop.environment = installed(tmp_path / "site", shop.environment, log=PLUGIN)
        for first in (1, 4):
            process = shop.start()
            shop.put(f"{first}.jsonl", document([receipt_of(number) for number in range(first, first + 3)]))
            shop.wait_for(lambda stand, first=first: sum(stand["counts"].values()) >= first + 2 and waits(stand))
            process.kill()
            process.wait()
        assert seen(shop.folder / "chat.log") == []
        (shop.folder / "chat").touch()
        process = shop.start()
        shop.wait_for(lambda stand: not stand["observers_behind"])
        process.kill()
        process.wait()
        chat, everything = seen(shop.folder / "chat.log"), seen(shop.folder / "all.log")
        last = max(chat)
        assert last > 6
        assert set(chat) == set(range(1, last + 1)), "none is missing, of the times of both kills either"
        assert set(everything) >= set(chat)
        assert [seq for number, seq in enumerate(chat) if seq not in chat[:number]] == sorted(set(chat)), "in order"


def waits(stand: dict[str, Any]) -> bool:
    """Whether the first observer alone is behind, with its reason."""
    behind = [(each["name"], each["reason"]) for each in stand["observers_behind"]]
    assert behind in ([], [("log", "the chat is away")]), json.dumps(behind)
    return bool(behind)
