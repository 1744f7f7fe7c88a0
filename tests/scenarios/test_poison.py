"""One receipt that brings the process down, with the real launcher: it never blocks its neighbours."""

from __future__ import annotations

import os
from pathlib import Path

from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, saved

_PLUGIN = """
import os, signal
from tillpost import hookimpl, simple
import attrs

@attrs.frozen
class Settings:
    pass

class Poison:
    @hookimpl
    def amend_payload(self, payload, receipt):
        if receipt.number == "3":
            os.kill(os.getpid(), signal.SIGKILL)

plugin = simple("kills the process at receipt 3", "amend", Settings, lambda settings, context: Poison())
"""


def test_a_receipt_that_kills_the_process_is_held_after_its_attempts_and_the_others_arrive(tmp_path: Path) -> None:
    """A crash while handling one counts as its attempt; a supervisor starts it again, and after three it is held."""
    plugins = tmp_path / "plugins"
    (plugins / "poison-1.0.dist-info").mkdir(parents=True)
    (plugins / "poison.py").write_text(_PLUGIN)
    (plugins / "poison-1.0.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: poison\nVersion: 1.0\n")
    (plugins / "poison-1.0.dist-info" / "entry_points.txt").write_text("[tillpost.plugins]\npoison = poison:plugin\n")
    with Shop(tmp_path, own='amend = [ { use = "poison" } ]') as shop:
        shop.environment["PYTHONPATH"] = os.pathsep.join([str(plugins), os.environ.get("PYTHONPATH", "")])
        shop.put("1.jsonl", document([receipt_of(number, externalId=f"c{number}") for number in range(1, 7)]))
        codes: list[int] = []
        while not codes or codes[-1] == -9:
            assert len(codes) < 10
            codes.append(shop.tillpost("run", "--until-idle").returncode)
        assert codes == [-9, -9, -9, 1], "three crashes, then an end with one receipt for a person"
        (held,) = shop.answers("held", "list")
        assert (held["number"], held["attempts"]) == ("3", 3)
        assert "in hand" in held["reason"]
        assert sum(saved(shop).values()) == 5
        assert set(saved(shop).values()) == {1}
