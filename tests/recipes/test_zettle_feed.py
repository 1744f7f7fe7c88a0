"""docs/recipes/zettle-feed.md, as it stands there, against a feed as Zettle documents it."""

from __future__ import annotations

import json
import signal
from pathlib import Path

from tests.support.feed import serving_feed, zettle
from tests.support.recipe import Recipe, saved
from tests.support.waiting import until
from tillpost_sandbox import Sandbox

HISTORY = Path(__file__).parents[2] / "plugins" / "tillpost_zettle" / "samples" / "history.json"


def test_a_zettle_account_by_feed(tmp_path: Path) -> None:
    """A page has two purchases; one more comes while it runs."""
    history = json.loads(HISTORY.read_text(encoding="utf-8"))["purchases"]
    purchases = history[:2]
    keys = {"ZETTLE_API_KEY": "a.zettle.key", "ENGAGE_API_KEY": "test"}
    with serving_feed(zettle(purchases)) as feed, Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        here = {
            "https://TENANT.voyado.com": sandbox.url,
            "https://purchase.izettle.com": feed.url,
            "https://oauth.zettle.com": feed.url,
            'limit = "500"': 'limit = "2"',
            'poll = "1m"': 'poll = "100ms"',
        }
        with Recipe("zettle-feed.md", tmp_path, here, keys) as recipe:
            recipe.type("tillpost check")
            assert [each.path for each in feed.asked] == ["/token", "/purchases/v2"]
            run = recipe.start("tillpost run")
            log = (tmp_path / "log").read_text
            until(lambda: len(saved(sandbox)) == 2, process=run, why=log)
            purchases.append(history[2])
            until(lambda: len(saved(sandbox)) == 3, process=run, why=log)
            assert "103" in recipe.type("tillpost receipt")
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 0
        assert all(each["ignoredDuplicates"] == 0 for each in saved(sandbox))
