"""K9: an observer that is taken out while events wait for it: `check` and `reload` say how many, before a start."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest

from tillpost.compose.config import load
from tillpost.compose.journals import open_journal
from tillpost.compose.stranded import not_observed
from tillpost.journal import ObserverBehind, SourceState

CONFIG = """
[pipelines.shop]
source = {{ use = "folder", path = "inbox" }}
adapter = {{ use = "receipts" }}
resolve = [ {{ use = "known" }} ]
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "https://127.0.0.1:1", api_key = "k", rate = 10 }}
{observe}
"""


@pytest.mark.parametrize(
    ("observe", "missing"),
    [
        ('observe = [ { use = "chat" }, { use = "chat" } ]', []),
        ('observe = [ { use = "chat" } ]', ["chat 2"]),
        ('observe = [ { use = "caht" } ]', ["chat", "chat 2"]),
        ("", ["chat", "chat 2"]),
    ],
)
def test_k9_events_that_wait_for_an_observer_that_is_taken_out_are_told(
    tmp_path: Path, observe: str, missing: list[str]
) -> None:
    file = tmp_path / "tillpost.toml"
    file.write_text(CONFIG.format(observe=observe))
    config = load(file, plugins=False)
    with closing(open_journal(config.pipelines[0], 100.0)) as journal:
        for _ in range(3):
            journal.events.add(100.0, "accept", "receipt")
        away = [ObserverBehind(name, 1, SourceState.FAILING, "away", 1.0, 2.0, 1) for name in ("chat", "chat 2")]
        journal.observers_behind.move(3, away)
    found = not_observed(config)
    assert [finding.message for finding in found] == [
        f"observer {name} is not named any more, and has not got 2 events: away." for name in missing
    ]
    assert all("Put it back" in finding.next_step for finding in found)
