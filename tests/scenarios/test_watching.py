"""Watching is on by default: a real `tillpost run` without `[alerts]`, and a real file server that goes away."""

from __future__ import annotations

import signal
import time
from pathlib import Path
from typing import Any

from tests.support.program import free_ports
from tests.support.receipts import receipt
from tests.support.shop import Shop, stop
from tests.support.tcp_proxy import Proxy
from tillpost.model.receipt_json import dumps


def rules(shop: Shop) -> dict[str, dict[str, Any]]:
    """The alerts that stand, by rule."""
    return {alert["alert"].split()[0]: alert for alert in shop.status()["alerts"]}


def told(shop: Shop, text: str) -> int:
    return (shop.folder / "run.log").read_text().count(text)


def test_k13_a_file_server_that_goes_away_is_known_while_the_api_answers(tmp_path: Path) -> None:
    """Nothing needs it: the API answers all the time, and no file is written."""
    (port,) = free_ports(1)
    with Shop(tmp_path) as shop, Proxy([(port, shop.ready["sftp"])]) as way:
        text = shop.config.read_text().replace(f"port = {shop.ready['sftp']}", f'port = {port}, probe_every = "10s"')
        shop.config.write_text(text)
        way.accept()
        process = shop.start()
        stand = shop.wait_for(lambda stand: stand["file_server"] is not None)
        assert (stand["file_server"]["state"], stand["state"], stand["needs_person"]) == ("up", "online", [])
        assert shop.tillpost("status").returncode == 0
        way.refuse()
        stand = shop.wait_for(lambda stand: stand["file_server"]["state"] == "down")
        assert stand["state"] == "online"
        assert "file_server" in rules(shop)
        assert "tillpost check" in rules(shop)["file_server"]["next_step"]
        done = shop.tillpost("status")
        assert (done.returncode, "file server: down since" in done.stdout) == (1, True)
        shop.put("1.jsonl", dumps(receipt("1", customer=None)))
        shop.wait_for(lambda stand: stand["counts"]["delivered"] == 1)
        way.heal()
        way.accept()
        shop.wait_for(lambda stand: stand["file_server"]["state"] == "up")
        assert shop.tillpost("status").returncode == 0
        stop(process)
        assert told(shop, "the file server cannot be used: ") == 1
        assert told(shop, "the file server can be used again") == 1


def test_without_alerts_a_trouble_stands_everywhere_and_a_killed_run_is_no_silence(tmp_path: Path) -> None:
    with Shop(tmp_path) as shop:
        assert "[alerts]" not in shop.config.read_text()
        process = shop.start()
        shop.put("1.jsonl", b"{broken")
        shop.wait_for(lambda stand: stand["counts"]["held"] == 1)
        assert {"held"} == set(rules(shop))
        end = time.monotonic() + 60
        while not told(shop, "alert: shop: 1 held receipt"):  # `run` has seen it by itself, and says so once
            assert time.monotonic() < end
            time.sleep(0.2)
        (alert,) = shop.answers("alerts")
        assert alert["alert"].startswith("held ")
        process.send_signal(signal.SIGKILL)
        process.wait()
        rows = shop.answers("alerts")
        assert {row["alert"].split()[0] for row in rows} == {"held", "not_running"}
        assert "no `tillpost run` is at work, and nobody watches since" in shop.tillpost("status").stdout
