"""faults.md, section People: a plugin that raises, hangs, answers with the wrong type or cannot be imported.

It is named and isolated, with the real launcher: its own receipts wait or are held, its neighbours and the other
pipelines of the file go on, and the commands that look into the journal work.
"""

from __future__ import annotations

import signal
import subprocess
import time
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.support.installed import installed
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, saved, settled, stop

EMAIL = "anna.secret@example.se"

AMEND = """
import attrs, time
from tillpost import hookimpl, simple

@attrs.frozen
class NoSettings:
    pass

class Amend:
    @hookimpl
    def amend_payload(self, payload, receipt):
        if receipt.number != "2":
            return None
        {fault}

plugin = simple("A team's last word", "amend", NoSettings, lambda settings, context: Amend())
"""
FAULTS = {
    "raises": (f'raise KeyError("{EMAIL}")', "plugin 'faulty': amend_payload raised KeyError at "),
    "wrong": ("return receipt", "plugin 'faulty': amend_payload gave a Receipt at "),
}
SECOND = """
[pipelines.other]
adapter   = { use = "receipts" }
resolve   = { use = "known" }
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" } }
amend     = { use = "faulty" }
"""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path / "shop") as opened:
        yield opened


def install(shop: Shop, tmp_path: Path, text: str) -> None:
    shop.environment = installed(tmp_path / "site", shop.environment, faulty=text)


def log(shop: Shop) -> str:
    return (shop.folder / "run.log").read_text()


@pytest.mark.parametrize("fault", FAULTS)
def test_a_plugin_that_raises_or_gives_the_wrong_type_is_named_and_holds_its_receipt_alone(
    shop: Shop, tmp_path: Path, fault: str
) -> None:
    """What it raised may quote the customer: its text is neither in the reason nor in the log."""
    code, reason = FAULTS[fault]
    install(shop, tmp_path, AMEND.format(fault=code))
    configure(shop, "map       =", 'amend     = { use = "faulty" }\nmap       =')
    process = shop.start()
    shop.put("1.jsonl", document([receipt_of(number, email=EMAIL) for number in range(5)]))
    shop.wait_for(lambda stand: stand["counts"]["delivered"] == 4 and stand["counts"]["held"] == 1)
    stop(process)
    (held,) = shop.answers("held", "list")
    assert held["number"] == "2"
    assert held["reason"].startswith(reason)
    [told] = [line for line in log(shop).splitlines() if held["reason"] in line]
    assert f"receipt {held['id']}" in told
    assert f"document {held['document']}, {held['place']}" in told
    assert "secret" not in log(shop)


def test_a_plugin_that_hangs_keeps_back_nothing_else_and_a_stop_ends_by_the_grace_period(
    shop: Shop, tmp_path: Path
) -> None:
    """One thread is lost to it. The receipt was not sent; with the plugin fixed it is, once."""
    install(shop, tmp_path, AMEND.format(fault="time.sleep(3600)"))
    configure(shop, "map       =", 'amend     = { use = "faulty" }\nmap       =')
    process = subprocess.Popen(shop.command("run", "--grace", "2"), env=shop.environment, stderr=subprocess.PIPE)
    try:
        shop.put("1.jsonl", document([receipt_of(2, externalId="a")]))
        shop.wait_for(lambda stand: sum(stand["counts"].values()) == 1)
        shop.put("2.jsonl", document([receipt_of(number, externalId="b") for number in range(10, 40)]))
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 30)
        began = time.monotonic()
        process.send_signal(signal.SIGTERM)
        _, said = process.communicate(timeout=30)
        assert process.returncode == 1, "it says that something had not ended"
        assert time.monotonic() - began < 20
        assert b"did not end within the grace period" in said
    finally:
        process.kill()
        process.wait()
    assert len(saved(shop)) == 30
    (tmp_path / "site" / "faulty.py").write_text(AMEND.format(fault="return None"))
    again = shop.start()
    shop.wait_for(settled(31))
    stop(again)
    assert set(saved(shop).values()) == {1}


def test_a_plugin_that_hangs_at_a_receipt_of_a_known_contact_keeps_back_no_other_of_that_contact(
    shop: Shop, tmp_path: Path
) -> None:
    install(shop, tmp_path, AMEND.format(fault="time.sleep(3600)"))
    configure(shop, "map       =", 'amend     = { use = "faulty" }\nmap       =')
    process = subprocess.Popen(shop.command("run", "--grace", "1"), env=shop.environment, stderr=subprocess.DEVNULL)
    try:
        shop.put("1.jsonl", document([receipt_of(1, externalId="a")]))
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 1)
        shop.put("2.jsonl", document([receipt_of(number, externalId="a") for number in range(2, 40)]))
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 38)
    finally:
        process.kill()
        process.wait()
    assert len(saved(shop)) == 38


def test_a_plugin_that_cannot_be_imported_stops_its_own_pipeline_alone(shop: Shop, tmp_path: Path) -> None:
    """Named with file and line; the other pipeline of the file runs, and the exit code says that one did not."""
    install(shop, tmp_path, 'raise ImportError("no such library")\n')
    shop.config.write_text(shop.config.read_text() + SECOND)
    process = shop.start()
    shop.put("1.jsonl", document([receipt_of(number, externalId="a") for number in range(3)]))
    shop.wait_for(lambda stand: stand["counts"]["delivered"] == 3)
    process.send_signal(signal.SIGTERM)
    assert process.wait(40) == 1
    assert 'plugin "faulty" cannot be imported' in log(shop)
    line = 1 + shop.config.read_text().splitlines().index('amend     = { use = "faulty" }')
    assert f"tillpost.toml:{line}: error: pipelines.other.amend.use" in log(shop)
    refused = shop.tillpost("run", "--pipeline", "other")
    assert (refused.returncode, "cannot be imported" in refused.stderr) == (78, True)
    assert shop.tillpost("run", "--pipeline", "shop", "--until-idle").returncode == 0
    status = shop.tillpost("status")
    assert (status.returncode, "no `tillpost run` is at work" in status.stdout) == (1, True), "it needs a person"
    assert not status.stderr
    for words in (
        ["receipts", "-p", "shop"],
        ["held", "list", "-p", "other"],
        ["files", "list", "-p", "shop"],
    ):
        assert shop.tillpost(*words).returncode == 0, words
    plugins = shop.tillpost("plugins")
    assert (plugins.returncode, "faulty" in plugins.stdout) == (1, True)


def test_a_plugin_that_does_not_build_stops_its_own_pipeline_alone(shop: Shop, tmp_path: Path) -> None:
    install(shop, tmp_path, AMEND.format(fault="pass").replace("Amend())", "1 / 0)"))
    shop.config.write_text(shop.config.read_text() + SECOND)
    shop.put("1.jsonl", document([receipt_of(1, externalId="a")]))
    done = shop.tillpost("run", "--until-idle")
    assert done.returncode == 1
    assert 'plugin "faulty" is faulty: it cannot be built' in done.stderr
    assert shop.status()["counts"]["delivered"] == 1
