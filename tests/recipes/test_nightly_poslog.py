"""docs/recipes/nightly-poslog.md, as it stands there, against OpenSSH."""

from __future__ import annotations

import signal
from pathlib import Path

from tests.support.program import needed
from tests.support.recipe import Recipe, saved
from tests.support.sshd import sshd
from tests.support.waiting import until
from tillpost_sandbox import Sandbox

SALE = Path(__file__).parents[2] / "plugins" / "tillpost_poslog" / "samples" / "promises" / "sale.xml"


def test_a_nightly_sftp_drop_of_poslog(tmp_path: Path) -> None:
    """The key of the page is let in; the till's file comes while it runs, and once more under the same name."""
    needed("ssh-keygen", "openssh-client")
    needed("ssh-keyscan", "openssh-client")
    with sshd(tmp_path / "sshd") as server, Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        here = {
            "https://TENANT.voyado.com": sandbox.url,
            "files.example.com": "127.0.0.1",
            "port = 22": f"port = {server.port}",
            "-p 22": f"-p {server.port}",
            'user = "shop"': f'user = "{server.user}"',
            'path = "/out"': f'path = "{server.home}"',
            "ssh-ed25519 AAAA…": server.host_key,
            'settle = "1m"': 'settle = "200ms"',
            'poll = "5m"': 'poll = "100ms"',
        }
        with Recipe("nightly-poslog.md", tmp_path, here, {"ENGAGE_API_KEY": "test"}) as recipe:
            recipe.type("ssh-keygen")
            with (tmp_path / "sshd" / "authorized").open("a") as authorized:
                authorized.write((tmp_path / "shop_ed25519.pub").read_text())
            assert server.host_key in recipe.type("ssh-keyscan")
            recipe.type("tillpost check")
            run = recipe.start("tillpost run")
            log = (tmp_path / "log").read_text
            for night in (1, 2):
                (server.home / "day.xml").write_bytes(SALE.read_bytes())
                until(lambda: not (server.home / "day.xml").exists(), process=run, why=log)
                assert len(list((server.home / "done").iterdir())) == night
                until(lambda: len(saved(sandbox)) == 1, process=run, why=log)
            assert "day.xml" in recipe.type("tillpost documents")
            run.send_signal(signal.SIGTERM)
            assert run.wait(60) == 0
        (receipt,) = saved(sandbox)
        assert receipt["ignoredDuplicates"] == 0
