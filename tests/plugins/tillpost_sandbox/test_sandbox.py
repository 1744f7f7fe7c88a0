"""The sandbox as a whole: restart, timers, seeds, and the process on the command line."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

import pytest
import urllib3

from tillpost_sandbox import Sandbox
from tillpost_sandbox.settings import BadSettingError

if TYPE_CHECKING:
    from tests.plugins.tillpost_sandbox.conftest import Client

KEY = "test-key"


def until(client: "Client", name: str, wanted: int) -> None:
    deadline = time.monotonic() + 20
    while client.control("GET", "stats")[name] != wanted:
        assert time.monotonic() < deadline, f"{name} never became {wanted}"
        time.sleep(0.02)


def test_a_restart_keeps_everything(tmp_path: Path, pool: urllib3.PoolManager, client: "Client", receipt: Any) -> None:
    ways: dict[str, Any] = {
        "dir": tmp_path / "kept",
        "api_key": KEY,
        "import_every": 3600.0,
        "import_files_every": 3600.0,
    }
    with Sandbox(**ways) as first:
        client.sandbox = first
        contact = client.contact(email="a@b.se")
        gone = client.contact(email="gone@b.se")
        client.send("DELETE", f"/api/v3/contacts/{gone}")
        client.send("POST", "/api/v3/receipts", receipt("r-1"))
        client.send("POST", "/api/v3/receipts", receipt("lost", key="n@b.se"))
        client.control("POST", "import", {})
        client.send("POST", "/api/v3/receipts", receipt("r-1"))
        client.control("POST", "import", {})
        client.send("POST", "/api/v3/receipts", receipt("r-2"))
        names = ("receipts", "contacts", "log")
        before = [client.control("GET", name) for name in names]
        counts = client.control("GET", "stats")
        access = (first.host_key, first.password)
    # A kill may tear the last line; what was never answered may be missing, and only that.
    with (tmp_path / "kept" / "state.jsonl").open("ab") as state:
        state.write(b'{"receipt": {"seq": 9, "uni')
    with Sandbox(**ways) as second:
        client.sandbox = second
        assert [client.control("GET", name) for name in names] == before
        after = client.control("GET", "stats")
        for name in ("contacts", "receipts", "queued", "dropped", "ignored_duplicates", "totalGrossPrice"):
            assert after[name] == counts[name], name
        assert (second.host_key, second.password) == access
        client.control("POST", "import", {})
        history = client.send("GET", f"/api/v3/contacts/{contact}/transactions").body["items"]
        assert {item["externalId"] for item in history} == {"r-1", "r-2"}
        assert client.send("GET", f"/api/v3/contacts/{gone}").status == 404


def test_a_shorter_interval_takes_effect_at_once(client: "Client", receipt: Any) -> None:
    client.contact(email="a@b.se")
    client.send("POST", "/api/v3/receipts", receipt())
    assert client.control("GET", "stats")["queued"] == 1
    client.control("POST", "settings", {"import_every": 0.05, "import_files_every": 0.05})
    until(client, "receipts_api", 1)
    inbox = client.sandbox.dir / "sftp" / "integration" / "transactionImport"
    (inbox / "20260301123000_1_transactions.xml").write_bytes(b"")
    deadline = time.monotonic() + 20
    while "partial" not in client.kinds():
        assert time.monotonic() < deadline
        time.sleep(0.02)


@pytest.mark.parametrize("form", ["array", "lines"])
def test_seeds_are_taken_once(tmp_path: Path, client: "Client", form: str) -> None:
    guid = "6a1e7f0c-0000-4000-8000-000000000001"
    seeds = [{"id": guid.upper(), "memberNumber": "M1", "externalId": "1"}, {"email": "s@b.se"}]
    path = tmp_path / "seeds"
    path.write_text(json.dumps(seeds) if form == "array" else "\n".join(map(json.dumps, seeds)))
    for _ in range(2):
        with Sandbox(dir=tmp_path / "seeded", api_key=KEY, seed_contacts=path) as sandbox:
            client.sandbox = sandbox
            assert client.send("GET", "/api/v3/contacts/id?customKey=M1").body == guid
            assert client.control("GET", "stats")["contacts"] == 2


@pytest.mark.parametrize(
    ("content", "says"),
    [
        (b'{"email": "a@b.se"}\n[broken', "line 2 of the file: not JSON"),
        (b"\xff\xfe", "line 1 of the file: "),
        (b'[{"email": "a@b.se"}', "not JSON at line 1"),
        (b'[{"email": "a@b.se"}, {"email": "anna"}]', "contact 2: email is not valid"),
        (b'[{"email": "a@b.se"}, 5]', "contact 2 is not an object"),
        (b'"anna@b.se"', "contact 1 is not an object"),
    ],
)
def test_a_file_of_contacts_that_is_wrong_is_told_with_the_contact(tmp_path: Path, content: bytes, says: str) -> None:
    path = tmp_path / "seeds.json"
    path.write_bytes(content)
    with pytest.raises(BadSettingError) as told, Sandbox(dir=tmp_path / "seeded", api_key=KEY, seed_contacts=path):
        pass
    assert str(told.value).startswith(f"{path}: {says}")
    assert "--seed-contacts names a JSON array of contacts, or one a line" in str(told.value)
    assert "anna" not in str(told.value)


def test_a_wrong_option_is_a_line_and_not_a_fault_of_the_program(tmp_path: Path) -> None:
    (tmp_path / "seeds.json").write_text("[")
    options = ["--api-key", KEY, "--dir", str(tmp_path / "seeded"), "--seed-contacts", str(tmp_path / "seeds.json")]
    command = [sys.executable, "-m", "tillpost_sandbox", *options]
    ended = subprocess.run(command, capture_output=True, text=True, timeout=60)
    assert ended.returncode == 2
    assert ended.stderr.startswith(f"tillpost: {tmp_path / 'seeds.json'}: not JSON")


def test_options_are_settings_and_bad_ones_are_named(tmp_path: Path) -> None:
    with pytest.raises(BadSettingError, match="duplicates: existing or error"):
        Sandbox(dir=tmp_path, api_key=KEY, options={"duplicates": "x"})
    with Sandbox(dir=tmp_path, api_key=KEY, options={"duplicates": "error"}) as sandbox:
        assert sandbox.engage.settings.duplicates == "error"
        assert KEY not in repr(sandbox.engage)
        assert sandbox.password not in repr(sandbox._sftp)


def test_a_taken_port_is_an_error_that_leaves_nothing_open(tmp_path: Path, sandbox: Sandbox) -> None:
    with pytest.raises(OSError, match="in use"), Sandbox(dir=tmp_path, api_key=KEY, http=sandbox.http_port):
        pass


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT])
def test_the_process_says_when_it_is_ready_and_ends_by_signal(tmp_path: Path, number: signal.Signals) -> None:
    command = [sys.executable, "-m", "tillpost_sandbox", "--dir", str(tmp_path / "box"), "--password", "secret"]
    with subprocess.Popen(
        command,
        env=os.environ | {"ENGAGE_API_KEY": KEY},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    ) as process:
        assert process.stdout is not None
        assert process.stderr is not None
        ready = json.loads(process.stdout.readline())
        assert set(ready) == {*("http", "sftp", "url", "control", "host_key", "user", "password", "path", "dir")}
        assert (ready["user"], ready["password"], ready["path"]) == ("till", "secret", "/integration")
        assert ready["host_key"].startswith("ssh-ed25519 AAAA")
        with urllib3.PoolManager() as pool:
            answer = pool.request("GET", ready["url"] + "/api/v3/contacts/count", headers={"apikey": KEY})
            assert (answer.status, answer.data) == (200, b"0")
        process.send_signal(number)
        assert process.wait(20) == 0
        assert process.stdout.read() == ""
        assert process.stderr.read() == ""
    assert (tmp_path / "box" / "host_key").stat().st_mode & 0o077 == 0
    assert (tmp_path / "box" / "state.jsonl").stat().st_mode & 0o077 == 0


TWICE = """
import os, signal, sys
from pathlib import Path
from tillpost_sandbox import run

def again(frame, event, _):
    handler = frame.f_back and frame.f_back.f_back
    if event == "return" and frame.f_code.co_name == "__enter__" and handler.f_code.co_name == "<lambda>":
        sys.setprofile(None)
        os.kill(os.getpid(), signal.SIGTERM)

sys.setprofile(again)
sys.exit(run(dir=Path(sys.argv[1]), api_key="k"))
"""
"""A sandbox that gets a second signal while its handler holds a lock, if it takes one."""


def test_a_signal_inside_the_handler_of_another_one_ends_it_too(tmp_path: Path) -> None:
    with subprocess.Popen([sys.executable, "-c", TWICE, str(tmp_path / "box")], stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        process.stdout.readline()
        process.send_signal(signal.SIGTERM)
        try:
            assert process.wait(20) == 0
        finally:
            process.kill()


def test_what_was_accepted_survives_a_kill(tmp_path: Path, client: "Client", receipt: Any) -> None:
    command = [sys.executable, "-m", "tillpost_sandbox", "--dir", str(tmp_path / "box"), "--api-key", KEY]
    with subprocess.Popen(command, stdout=subprocess.PIPE) as process:
        assert process.stdout is not None
        url = json.loads(process.stdout.readline())["url"]
        for number in range(20):
            answer = client.pool.request(
                "POST", f"{url}/api/v3/receipts", json=receipt(f"r-{number}"), headers={"apikey": KEY}
            )
            assert answer.status == 202
        process.kill()
    with Sandbox(dir=tmp_path / "box", api_key=KEY) as sandbox:
        assert len(sandbox.engage.state.queue) == 20
