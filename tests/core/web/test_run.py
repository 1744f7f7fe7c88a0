"""`tillpost run --status`: what is told when the page cannot be served, before anything is carried."""

from __future__ import annotations

import socket
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner

from tests.support.program import free_ports
from tillpost.cli import cli, main
from tillpost.web.address import is_local, names_this_machine, parse

CONFIG = """
[tillpost]
state = "state"
[pipelines.shop]
source = { use = "folder", path = "inbox" }
adapter = { use = "receipts" }
resolve = [{ use = "known" }]
map = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = "not-a-real-one" }
"""


def run(monkeypatch: pytest.MonkeyPatch, folder: Path, listen: str) -> int:
    (folder / "inbox").mkdir(exist_ok=True)
    (folder / "tillpost.toml").write_text(CONFIG)
    monkeypatch.setattr(sys, "argv", ["tillpost", "-c", str(folder / "tillpost.toml"), "run", "--status", listen])
    with pytest.raises(SystemExit) as ended:
        main()
    return int(str(ended.value.code))


def test_a_taken_port_ends_with_1(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    (port,) = free_ports(1)
    with socket.create_server(("127.0.0.1", port)):
        assert run(monkeypatch, tmp_path, f"127.0.0.1:{port}") == 1
    assert f"--status: cannot listen at 127.0.0.1:{port}: another program listens there" in capsys.readouterr().err


def test_a_missing_extra_is_named(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr("tillpost.web.server.find_spec", lambda name: None if name == "jinja2" else name)
    assert run(monkeypatch, tmp_path, "127.0.0.1:8090") == 2
    assert 'needs jinja2, not installed here: run pip install "tillpost[status]"' in capsys.readouterr().err


@pytest.mark.parametrize("listen", ["8090", ":8090", "host", "host:", "host:0", "host:65536", "::1:8090", "h:٣"])
def test_what_is_no_address_is_wrong_usage(
    listen: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    assert run(monkeypatch, tmp_path, listen) == 2
    assert "--status" in capsys.readouterr().err


def test_addresses() -> None:
    assert parse("[::1]:8090") == ("::1", 8090)
    assert parse("localhost:80") == ("localhost", 80)
    assert [is_local(host) for host in ("127.0.0.1", "127.9.9.9", "::1", "localhost", "LocalHost")] == [True] * 5
    assert [is_local(host) for host in ("0.0.0.0", "::", "192.168.1.4", "shop", "localhost.evil.example")] == [
        False
    ] * 5
    assert [names_this_machine(said) for said in ("127.0.0.1:80", "localhost", "[::1]", "[::1]:80")] == [True] * 4
    assert [names_this_machine(said) for said in ("", ":80", "evil:80", "127.0.0.1.evil", "evil#127.0.0.1")] == [
        False
    ] * 5


def test_without_status_nothing_of_the_page_is_loaded() -> None:
    import subprocess

    code = (
        "import sys, importlib; importlib.import_module('tillpost.cli.run');"
        "print([name for name in ('cheroot', 'jinja2', 'prometheus_client', 'playwright') if name in sys.modules])"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert CliRunner().invoke(cli, ["run", "--help"]).exit_code == 0
