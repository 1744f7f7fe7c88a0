"""B23, K13: `tillpost check` tries everything a pipeline will need, and says which setting of which line is wrong."""

from __future__ import annotations

import json
import socket
import subprocess
from collections.abc import Callable, Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import asyncssh
import attrs
import pytest
from click.testing import CliRunner

from tests.support.mounts import fill, tmpfs
from tests.support.program import account, free_ports
from tests.support.sshd import Sshd, sshd
from tests.support.vsftpd import Vsftpd, vsftpd
from tillpost.cli import cli
from tillpost.compose.config import load
from tillpost.journal import Journal
from tillpost.model import Tenant
from tillpost_sandbox import Sandbox

FOLDERS = ("contactImport", "transactionImport")


@attrs.define
class Shop:
    """A configuration whose every part is there."""

    folder: Path
    slots: dict[str, str]
    extra: str = ""

    def check(self, *words: str, key: str = "key") -> tuple[int, list[dict[str, Any]], str]:
        """Exit code, findings, and what people read."""
        file = self.folder / "tillpost.toml"
        lines = [f"{slot} = {table}" for slot, table in self.slots.items()]
        file.write_text("\n".join(["[pipelines.shop]", *lines, self.extra, ""]))
        environment = {"ENGAGE_API_KEY": key, "SFTP_PASSWORD": "wrong password"}
        results = [
            CliRunner().invoke(cli, ["--config", str(file), "check", *words, *more], env=environment)
            for more in (["--json"], [])
        ]
        assert results[0].exit_code == results[1].exit_code
        assert "wrong password" not in results[1].output
        return results[0].exit_code, [json.loads(line) for line in results[0].stdout.splitlines()], results[1].output

    def the_finding(self, slot: str, key: str = "") -> tuple[int, dict[str, Any]]:
        """The exit code and the one finding there is, which names this slot, its line and what to do."""
        code, findings, text = self.check()
        (finding,) = findings
        line = 2 + list(self.slots).index(slot)
        assert (finding["line"], finding["key"]) == (line, f"pipelines.shop.{slot}{key}"), finding
        assert finding["effect"]
        assert finding["next_step"]
        assert f"tillpost.toml:{line}: " in text
        return code, finding


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    (tmp_path / "inbox").mkdir()
    for name in FOLDERS:
        (tmp_path / "share" / name).mkdir(parents=True)
    with Sandbox(dir=tmp_path / "sandbox", api_key="key", import_every=3600.0, import_files_every=3600.0) as engage:
        yield Shop(
            tmp_path,
            {
                "source": '{ use = "folder", path = "inbox" }',
                "adapter": '{ use = "receipts" }',
                "resolve": '[ { use = "known" }, { use = "engage" } ]',
                "map": '{ use = "engage" }',
                "transport": f'{{ use = "engage", url = "{engage.url}", api_key = {{ env = "ENGAGE_API_KEY" }} }}',
                "fallback": '{ use = "engage-xml" }',
                "transfer": '{ use = "directory", path = "share" }',
            },
        )


def sftp(server: Sshd, **changes: Any) -> str:
    given = {
        "host": "127.0.0.1", "port": server.port, "user": server.user, "key": str(server.key),
        "host_key": server.host_key, "path": str(server.home), "timeout": "10s",
    } | changes  # fmt: skip
    pairs = [f"{name} = {value if name == 'password' else json.dumps(value)}" for name, value in given.items() if value]
    return f'{{ use = "sftp", {", ".join(pairs)} }}'


def ftps(server: Vsftpd, **changes: Any) -> str:
    given = {
        "host": "127.0.0.1", "port": server.port, "user": server.user, "ca": str(server.ca), "timeout": "20s",
    } | changes  # fmt: skip
    pairs = [f"{name} = {json.dumps(value)}" for name, value in given.items() if value]
    (server.home.parent.parent / "secret").write_text(server.password)
    secret = json.dumps(str(server.home.parent.parent / "secret"))
    return f'{{ use = "ftps", password = {{ file = {secret} }}, {", ".join(pairs)} }}'


@pytest.fixture
def server(tmp_path: Path) -> Iterator[Sshd]:
    with sshd(tmp_path / "sshd") as running:
        for name in FOLDERS:
            (running.home / name).mkdir()
        yield running


@pytest.fixture
def secure(tmp_path: Path) -> Iterator[Vsftpd]:
    (tmp_path / "vsftpd").mkdir()
    with vsftpd(tmp_path / "vsftpd", "TLSv1.3") as running:
        yield running


def files(home: Path) -> list[Path]:
    return [path for path in home.rglob("*") if path.is_file()]


def test_b23_all_is_tried_and_nothing_is_left_anywhere(shop: Shop, server: Sshd) -> None:
    shop.slots["transfer"] = sftp(server)
    before = sorted(path for path in shop.folder.rglob("*") if "sshd" not in path.parts)
    code, findings, text = shop.check()
    assert (code, findings) == (0, [])
    for tried in ("destination", "file server", "source", "folders", "disk", "clock", "alert channels"):
        assert tried in text
    assert "not tried" not in text
    assert files(server.home) == []
    after = {path for path in shop.folder.rglob("*") if "sshd" not in path.parts}
    assert after - set(before) <= {shop.folder / "tillpost.toml"}


def test_b23_offline_says_what_is_not_tried(shop: Shop) -> None:
    shop.slots["transfer"] = (
        '{ use = "sftp", host = "::1", user = "till", key = "none", host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAICWKN44Wd0qoYUFm2oDJvhJzKNj/72JvYhnpkL8PxNFi" }'  # noqa: E501
    )
    code, findings, text = shop.check("--offline")
    assert (code, findings) == (0, [])
    assert "not tried: destination, file server, source, folders, disk, clock, alert channels" in text


def test_b23_a_wrong_sftp_port_is_found_before_an_outage(shop: Shop, server: Sshd) -> None:
    (port,) = free_ports(1)
    shop.slots["transfer"] = sftp(server, port=port)
    code, finding = shop.the_finding("transfer")
    assert (code, finding["level"]) == (1, "trouble")
    assert f"connection refused by 127.0.0.1:{port}" in finding["message"]


def test_b23_a_wrong_sftp_password_is_found_before_an_outage(shop: Shop, tmp_path: Path) -> None:
    with account() as user, sshd(tmp_path / "sshd", account=user) as server:
        shop.slots["transfer"] = sftp(server, key="", user=user.name, password='{ env = "SFTP_PASSWORD" }')
        code, finding = shop.the_finding("transfer", ".user")
    assert (code, finding["level"]) == (78, "error")
    assert "refuses the login" in finding["message"]


def test_b23_a_wrong_host_key_is_found_with_the_expected_and_the_met_fingerprint(shop: Shop, server: Sshd) -> None:
    other = asyncssh.generate_private_key("ssh-ed25519").export_public_key().decode().strip()
    shop.slots["transfer"] = sftp(server, host_key=other)
    code, finding = shop.the_finding("transfer", ".host_key")
    assert code == 78
    met, expected = (asyncssh.import_public_key(key).get_fingerprint() for key in (server.host_key, other))
    assert f"shows the host key {met}, and transfer.host_key expects {expected}" in finding["message"]


def test_b23_a_wrong_folder_is_found_and_not_made(shop: Shop, server: Sshd) -> None:
    shop.slots["transfer"] = sftp(server, path=f"{server.home}/elsewhere")
    code, finding = shop.the_finding("transfer", ".path")
    assert code == 78
    assert f"has no folder {server.home}/elsewhere" in finding["message"]
    assert not (server.home / "elsewhere").exists()


def test_b23_a_folder_of_another_name_in_the_settings_is_the_one_that_is_tried(shop: Shop, server: Sshd) -> None:
    shop.slots["fallback"] = '{ use = "engage-xml", contacts_folder = "members" }'
    shop.slots["transfer"] = sftp(server)
    (server.home / "members").write_text("a file where the folder should be")
    code, finding = shop.the_finding("transfer")
    assert code in (1, 78)
    assert "/members" in finding["message"]


@pytest.mark.parametrize(
    ("options", "said"),
    [("-R", "no file can be written into"), ("-P rename,posix-rename", "cannot be renamed"), ("-P remove", "stays")],
)
def test_b23_what_the_user_may_not_do_there_is_found(shop: Shop, tmp_path: Path, options: str, said: str) -> None:
    with sshd(tmp_path / "sshd", sftp_options=options) as server:
        for name in FOLDERS:
            (server.home / name).mkdir()
        shop.slots["transfer"] = sftp(server)
        code, findings, _ = shop.check()
    (finding,) = findings
    assert code in (1, 78)
    assert said in finding["message"]


def test_b23_a_full_folder_is_found(shop: Shop, server: Sshd) -> None:
    shop.slots["transfer"] = sftp(server)
    with tmpfs(server.home / "transactionImport", "size=64k"):
        fill(server.home / "transactionImport")
        code, finding = shop.the_finding("transfer")
        subprocess.run(["umount", "--lazy", str(server.home / "transactionImport")], check=True)
    assert (code, finding["level"]) == (1, "trouble")
    assert "no file can be written into" in finding["message"]


def test_b23_an_ftps_certificate_that_is_not_trusted_is_found(shop: Shop, secure: Vsftpd) -> None:
    shop.slots["transfer"] = ftps(secure)
    assert shop.check()[0] == 0
    assert files(secure.home) == []
    shop.slots["transfer"] = ftps(secure, ca="")
    code, finding = shop.the_finding("transfer")
    assert (code, finding["level"]) == (78, "error")
    assert "is not trusted" in finding["message"]


def test_b23_a_share_that_is_not_mounted_is_found(shop: Shop) -> None:
    assert shop.check()[0] == 0
    (shop.folder / "share").rename(shop.folder / "unmounted")
    code, finding = shop.the_finding("transfer")
    assert code == 1
    assert "the share is not mounted" in finding["message"]
    assert not (shop.folder / "share").exists()


def test_b23_a_wrong_key_is_the_configurations_fault_and_a_destination_that_is_away_is_not(shop: Shop) -> None:
    code, findings, _ = shop.check(key="another")
    assert (code, [finding["key"] for finding in findings]) == (78, ["pipelines.shop.transport.api_key"])
    (port,) = free_ports(1)
    shop.slots["transport"] = (
        f'{{ use = "engage", url = "http://127.0.0.1:{port}", api_key = {{ env = "ENGAGE_API_KEY" }} }}'
    )
    code, finding = shop.the_finding("transport")
    assert (code, finding["effect"]) == (1, "Receipts are accepted and wait.")


def test_b23_a_source_folder_that_is_not_there_is_found_and_not_made(shop: Shop) -> None:
    shop.slots["source"] = '{ use = "folder", path = "inbx" }'
    code, finding = shop.the_finding("source")
    assert code in (1, 78)
    assert "inbx" in finding["message"]
    assert not (shop.folder / "inbx").exists()


@pytest.mark.parametrize("folder", ["inbox", "inbox/done", "inbox/failed", "state/shop", "state/shop/fallback"])
def test_b23_a_folder_that_cannot_be_written_is_found(shop: Shop, folder: str) -> None:
    place = shop.folder / folder
    with closing(Journal(shop.folder / "state" / "shop")):
        pass
    place.mkdir(parents=True, exist_ok=True)
    subprocess.run(["mount", "--bind", str(place), str(place)], check=True)
    try:
        subprocess.run(["mount", "-o", "remount,bind,ro", str(place)], check=True)
        code, findings, _ = shop.check()
    finally:
        subprocess.run(["umount", str(place)], check=True)
    assert code in (1, 78)
    assert any(str(place) in finding["message"] for finding in findings), findings


def test_b23_a_clock_that_is_behind_the_journal_is_found(shop: Shop) -> None:
    with closing(Journal(shop.folder / "state" / "shop")) as journal:
        journal.events.add(4e9, "accept", "document read")
    code, findings, _ = shop.check()
    (finding,) = findings
    assert code == 1
    assert "the clock of this machine shows" in finding["message"]
    assert "NTP" in finding["next_step"]


@pytest.mark.parametrize(
    ("channel", "table", "said"),
    [
        ("command", '["/nothing/there"]', "not a program that this user can start"),
        ("webhook", '{ url = "http://127.0.0.1:PORT/x" }', "connection refused by 127.0.0.1:PORT"),
        ("email", '{ host = "127.0.0.1", port = PORT, sender = "a@b.example", to = ["c@d.example"] }', "refused"),
    ],
)
def test_b23_an_alert_channel_that_leads_nowhere_is_found(shop: Shop, channel: str, table: str, said: str) -> None:
    (port,) = free_ports(1)
    shop.extra = f"[alerts]\n{channel} = {table}".replace("PORT", str(port))
    code, findings, _ = shop.check()
    (finding,) = findings
    assert (code, finding["key"], finding["line"]) == (1, f"alerts.{channel}", 3 + len(shop.slots))
    assert said.replace("PORT", str(port)) in finding["message"]
    assert "nobody is notified" in finding["effect"]


def test_b23_a_channel_that_works_is_sent_nothing(shop: Shop, tmp_path: Path) -> None:
    told = tmp_path / "told"
    with socket.create_server(("127.0.0.1", 0)) as hook:
        url = f"http://127.0.0.1:{hook.getsockname()[1]}/x"
        shop.extra = f'[alerts]\ncommand = ["touch", "{told}"]\nwebhook = {{ url = "{url}" }}'
        assert shop.check()[0] == 0
        hook.settimeout(5)
        connection, _ = hook.accept()
        with connection:
            assert connection.recv(100) == b""
    assert not told.exists()


def test_b23_it_may_be_tried_while_a_run_is_at_work(shop: Shop, server: Sshd, at_work: Callable[[Path], None]) -> None:
    shop.slots["transfer"] = sftp(server)
    at_work(shop.folder / "state" / "shop")
    assert shop.check()[0] == 0
    assert list((shop.folder / "inbox").iterdir()) == []


@pytest.fixture
def at_work() -> Iterator[Callable[[Path], None]]:
    from tillpost.journal import RunLock

    locks = []
    yield lambda folder: locks.append(RunLock(folder))
    for lock in locks:
        lock.release()


@pytest.mark.parametrize("online", [True, False])
def test_another_tenant_than_the_journal_s_is_said_before_it_is_met(shop: Shop, online: bool) -> None:
    shop.check("--offline")
    (pipeline,) = load(shop.folder / "tillpost.toml", plugins=False).pipelines
    with closing(Journal(pipeline.state)) as journal:
        journal.tenants.adopt(Tenant(address="https://shop.former.example:443", credential="x"), 1.0)
    if not online:
        shop.slots["transport"] = '{ use = "engage", url = "http://127.0.0.1:9", api_key = { env = "ENGAGE_API_KEY" } }'
    code, findings, text = shop.check()
    assert code == 1
    finding = next(each for each in findings if "belongs to" in each["message"])
    line = 2 + list(shop.slots).index("transport")
    assert (finding["level"], finding["line"], finding["key"]) == ("trouble", line, "pipelines.shop.transport.url")
    assert "belongs to https://shop.former.example:443, with 0 contactIds" in finding["message"]
    assert "whether it is the same tenant" in finding["effect"]
    assert "put the former address back" in finding["next_step"]
    assert f"tillpost.toml:{line}: " in text
    assert len(findings) == (1 if online else 2)


@pytest.mark.parametrize("known", ["nothing", "unnamed", "another key"])
def test_the_journal_s_own_tenant_is_no_finding(shop: Shop, known: str) -> None:
    shop.check("--offline")
    (pipeline,) = load(shop.folder / "tillpost.toml", plugins=False).pipelines
    url = shop.slots["transport"].split('"')[3]
    with closing(Journal(pipeline.state)) as journal:
        if known != "nothing":
            address = url if known == "another key" else ""
            journal.tenants.adopt(Tenant(address=address, credential="former"), 1.0)
    assert shop.check()[:2] == (0, [])
