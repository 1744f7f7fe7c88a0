"""The channels reach a real program, a real web server and a real mail server, and say why when they do not."""

from __future__ import annotations

import json
import socket
import socketserver
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, HTTPServer
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tillpost.alerts.channels import ChannelError, notice, send
from tillpost.cli import cli
from tillpost.compose.alert_settings import AlertSettings, Email, Webhook
from tillpost.compose.config import examine
from tillpost.journal import Alert, Journal, RunLock
from tillpost.plugin import Secret

ALERT = Alert(1, "gap 12/1", "shop: till 1 of store 12: missing numbers: 7", "It means…", "Do this.", 0.0, None)
TOLD = notice("shop", "raised", ALERT)


@contextmanager
def served(server: socketserver.BaseServer) -> Iterator[int]:
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.05})
    thread.start()
    try:
        yield server.server_address[1]  # type: ignore[misc, index]
    finally:
        server.shutdown()
        thread.join()
        server.server_close()


class Hook(BaseHTTPRequestHandler):
    got: list[tuple[str | None, Any]]
    status: int

    def do_POST(self) -> None:
        body = self.rfile.read(int(self.headers["Content-Length"]))
        self.got.append((self.headers["Authorization"], json.loads(body)))
        self.send_response(self.status)
        self.send_header("Location", "/elsewhere")
        self.end_headers()

    def log_message(self, *_: object) -> None:
        """Nothing on the terminal."""


@contextmanager
def hook(status: int = 204) -> Iterator[tuple[str, list[tuple[str | None, Any]]]]:
    handler = type("Handler", (Hook,), {"got": [], "status": status})
    with served(HTTPServer(("127.0.0.1", 0), handler)) as port:
        yield f"http://127.0.0.1:{port}/alert", handler.got  # type: ignore[attr-defined]


class Mail(socketserver.StreamRequestHandler):
    """As much of RFC 5321 as smtplib speaks."""

    got: list[str]

    def handle(self) -> None:
        self._say("220 test")
        while line := self.rfile.readline().decode().strip():
            word = line.split()[0].upper()
            if word == "DATA":
                self._say("354 go on")
                lines = []
                while (text := self.rfile.readline().decode().rstrip("\r\n")) != ".":
                    lines.append(text)
                self.got.append("\n".join(lines))
                self._say("250 taken")
            elif word == "RCPT" and "nobody" in line:
                self._say("550 no such mailbox")
            elif word == "QUIT":
                self._say("221 bye")
                return
            else:
                self._say("250 fine")

    def _say(self, text: str) -> None:
        self.wfile.write(f"{text}\r\n".encode())


@contextmanager
def mail() -> Iterator[tuple[int, list[str]]]:
    handler = type("Handler", (Mail,), {"got": []})
    with served(socketserver.TCPServer(("127.0.0.1", 0), handler)) as port:
        yield port, handler.got  # type: ignore[attr-defined]


def by_mail(port: int, to: str = "shop@example.com", **given: Any) -> AlertSettings:
    return AlertSettings(email=Email(host="127.0.0.1", port=port, sender="tillpost@example.com", to=(to,), **given))


def test_a_command_gets_the_notice_on_its_standard_input(tmp_path: Path) -> None:
    code = "import pathlib, sys; pathlib.Path(sys.argv[1]).write_bytes(sys.stdin.buffer.read())"
    send("command", AlertSettings(command=(sys.executable, "-c", code, str(tmp_path / "got"))), TOLD)
    assert json.loads((tmp_path / "got").read_text()) == TOLD


@pytest.mark.parametrize(
    ("words", "said"), [(("/bin/false",), "exit code 1"), (("/nothing/there",), "cannot be started")]
)
def test_a_command_that_fails_has_not_taken_it(words: tuple[str, ...], said: str) -> None:
    with pytest.raises(ChannelError, match=said):
        send("command", AlertSettings(command=words), TOLD)


def test_a_webhook_gets_the_notice_with_its_headers() -> None:
    with hook() as (url, got):
        send("webhook", AlertSettings(webhook=Webhook(url=url, headers={"Authorization": Secret("Bearer k")})), TOLD)
    assert got == [("Bearer k", TOLD)]


@pytest.mark.parametrize("status", [302, 404, 500])
def test_a_webhook_that_answers_otherwise_has_not_taken_it(status: int) -> None:
    with hook(status) as (url, got), pytest.raises(ChannelError, match=str(status)):
        send("webhook", AlertSettings(webhook=Webhook(url=url)), TOLD)
    assert len(got) == 1


def test_a_far_side_that_is_away_has_not_taken_it() -> None:
    with socket.socket() as nobody:  # bound, and nobody listens
        nobody.bind(("127.0.0.1", 0))
        port = nobody.getsockname()[1]
        with pytest.raises(ChannelError, match="connection refused by"):
            send("webhook", AlertSettings(webhook=Webhook(url=f"http://127.0.0.1:{port}/key=secret")), TOLD)
        with pytest.raises(ChannelError, match=r"mail server 127\.0\.0\.1"):
            send("email", by_mail(port, tls="none"), TOLD)


def test_a_mail_says_what_happened_what_it_means_and_what_to_do() -> None:
    with mail() as (port, got):
        send("email", by_mail(port, tls="none"), {**TOLD, "event": "over"})
    (text,) = got
    assert "Subject: [shop] over: shop: till 1 of store 12: missing numbers: 7" in text
    assert "To: shop@example.com" in text
    assert "Do this." in text


def test_a_mail_server_without_tls_or_that_knows_nobody_has_not_taken_it() -> None:
    with mail() as (port, got):
        with pytest.raises(ChannelError, match="does not offer STARTTLS"):
            send("email", by_mail(port), TOLD)
        with pytest.raises(ChannelError, match="refuses the recipients") as caught:
            send("email", by_mail(port, "nobody@example.com", tls="none"), TOLD)
    assert got == []
    assert "nobody" not in str(caught.value)


CONFIG = """\
[alerts]
{alerts}
[pipelines.shop]
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "http://127.0.0.1:9", api_key = {{ env = "ENGAGE_API_KEY" }} }}
"""


def written(folder: Path, alerts: str) -> Path:
    file = folder / "tillpost.toml"
    file.write_text(CONFIG.format(alerts=alerts))
    return file


@pytest.mark.parametrize(
    ("alerts", "key", "said"),
    [
        ('command = ["x"]\nhelt = 3', "alerts.helt", "held"),
        ('command = ["x"]\nheld = 0', "alerts.held", "at least 1"),
        ('command = ["x"]\nfallback = 3', "alerts.fallback", "duration"),
        ('command = ["x"]\noff = ["gaps"]', "alerts.off", "gap"),
        ('webhook = { url = "ftp://x" }', "alerts.webhook.url", "http or https"),
        ('email = { host = "h", sender = "a", to = [] }', "alerts.email.to", "at least one"),
        ('email = { host = "h", sender = "a", to = ["b"], tls = "none", password = "p" }', "alerts.email", "TLS"),
        ('command = ["x"]\nsilence = [ { hours = "9-17", zone = "Europe/Oslo" } ]', "alerts.silence[0].hours", "hours"),
        ('command = ["x"]\nsilence = [ { hours = "Mon 09:00-17:00", zone = "Os" } ]', "alerts.silence[0].zone", "Os"),
    ],
)  # fmt: skip
def test_a_mistake_is_told_with_its_key_and_stops_no_pipeline(
    alerts: str, key: str, said: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("ENGAGE_API_KEY", "k")
    config, findings = examine(written(tmp_path, alerts))
    assert config is not None
    assert config.alerts == AlertSettings()
    (finding,) = [each for each in findings if each.level == "error"]
    assert finding.key == key
    assert said in str(finding)
    assert finding.line


def call(file: Path, *words: str) -> Any:
    return CliRunner().invoke(cli, ["--config", str(file), *words], env={"ENGAGE_API_KEY": "k"})


def test_the_commands_list_what_stands_and_test_the_channels(tmp_path: Path) -> None:
    file = written(tmp_path, 'command = ["/bin/true"]')
    at_work = RunLock(tmp_path / "state" / "shop")
    assert call(file, "alerts").exit_code == 0
    tested = call(file, "alerts", "test", "--json")
    assert (tested.exit_code, json.loads(tested.stdout)) == (0, {"channel": "command", "taken": True, "reason": ""})
    journal = Journal(tmp_path / "state" / "shop")
    # Of a rule that takes long: it stands as `tillpost run` has found it.
    journal.alerts.change([("gap 12/1", "shop: missing numbers: 2", "…", "Send again.")], [], [], ("command",), 100.0)
    listed = call(file, "alerts", "--json")
    assert (listed.exit_code, json.loads(listed.stdout)["alert"]) == (1, "gap 12/1")
    assert "do: Send again." in call(file, "alerts").stdout
    status = call(file, "status")
    assert (status.exit_code, "alert since" in status.stdout) == (1, True)
    (alert,) = journal.alerts.standing()
    journal.alerts.change([], [], [alert.seq], (), 200.0)
    journal.close()
    listed = call(file, "alerts")
    assert (listed.exit_code, "over since" in listed.stdout) == (0, True)
    file = written(tmp_path, 'command = ["/bin/false"]')
    failing = call(file, "alerts", "test")
    at_work.release()
    assert (failing.exit_code, "exit code 1" in failing.stdout) == (1, True)
