"""`day`, `plan` and `top` as a person types them."""

from __future__ import annotations

import fcntl
import os
import pty
import select
import signal
import struct
import subprocess
import sys
import termios
import time
from pathlib import Path
from typing import Self

import apsw
import pytest
from click.testing import CliRunner

from tests.support.command import call, objects
from tests.support.receipts import receipt
from tillpost.cli import cli
from tillpost.errors import UsageError
from tillpost.journal import Journal, Move, State
from tillpost.model.receipt_json import dumps


def deliver(shop: Path, *numbers: str) -> None:
    journal = Journal(shop.parent / "state" / "shop")
    for number in numbers:
        (row,) = journal.receipts.find({"number": number})
        journal.receipts.settle([(row.seq, Move(state=State.DELIVERED, route="api"))], 100.0, "deliver")
    journal.close()


@pytest.fixture
def closed(shop: Path) -> Path:
    """A shop whose day has two receipts, both delivered."""
    (shop.parent / "two.jsonl").write_bytes(b"\n".join(dumps(receipt(number=each)) for each in ("1", "2")))
    call(shop, "accept", str(shop.parent / "two.jsonl"))
    deliver(shop, "1", "2")
    return shop


def test_a_day_is_fine_until_the_till_says_otherwise(closed: Path) -> None:
    result = call(closed, "day", "12", "2026-11-24")
    assert result.exit_code == 0, result.output
    assert "no till total is known" in result.output
    totals = closed.parent / "totals.csv"
    totals.write_text("date,store,till,currency,count,total\n2026-11-24,12,1,SEK,2,20.01\n")
    result = call(closed, "day", "12", "2026-11-24", "--till-totals", str(totals))
    assert result.exit_code == 1
    assert "day total: till total 20.01 SEK, recorded 20.00 (difference -0.01)" in result.output
    (again,) = objects(call(closed, "day", "12", "2026-11-24", "--json"))  # the journal remembers the till totals
    assert not again["fine"]
    assert again["differences"][0]["source"] == "totals.csv"
    totals.write_text("date,store,till,currency,count,total\n2026-11-24,12,1,SEK,2,20.00\n")
    assert call(closed, "day", "12", "2026-11-24", "--till-totals", str(totals)).exit_code == 0
    assert call(closed, "day", "12", "2026-11-24", "--till", "1").exit_code == 0


def test_what_is_not_delivered_is_told_and_exits_1(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    result = call(shop, "day", "12", "2026-11-24")
    assert result.exit_code == 1
    assert "Look at: 2 receipts not delivered" in result.output
    assert f"{receipt(number='1').id} 10.00 SEK: accepted, not delivered" in result.output
    assert "skipped: 1 receipt: no customer" in result.output


def test_reports_are_written(closed: Path) -> None:
    page, sheet = closed.parent / "day.html", closed.parent / "day.csv"
    call(closed, "day", "12", "2026-11-24", "--html", str(page), "--csv", str(sheet))
    assert "Day end: store 12, 2026-11-24" in page.read_text()
    rows = sheet.read_bytes().decode().split("\r\n")
    assert "12,2026-11-24,,SEK,recorded,,2,20.00,,,," in rows
    assert "12,2026-11-24,,SEK,confirmed,accepted by API,2,20.00,,,," in rows
    assert "12,2026-11-24,,SEK,tender,card,2,20.00,,,," in rows


def test_a_date_or_a_file_that_is_none_is_wrong_usage(closed: Path) -> None:
    assert call(closed, "day", "12", "24.11.2026").exit_code == 2
    (closed.parent / "bad.csv").write_text("store\n")
    result = call(closed, "day", "12", "2026-11-24", "--till-totals", str(closed.parent / "bad.csv"))
    assert isinstance(result.exception, UsageError)


def test_a_file_about_another_day_is_told(closed: Path) -> None:
    (closed.parent / "other.csv").write_text("date,store,currency,total\n2026-11-23,12,SEK,5\n")
    result = call(closed, "day", "12", "2026-11-24", "--till-totals", str(closed.parent / "other.csv"))
    assert "has no total of store 12 on 2026-11-24" in result.output


# --- plan ---------------------------------------------------------------------------------------------------------

ASKED = ("plan", "--stores", "40", "--receipts-per-hour", "120", "--outage", "72h")


def test_a_plan_needs_no_configuration(tmp_path: Path) -> None:
    result = CliRunner().invoke(cli, ["--config", str(tmp_path / "none.toml"), *ASKED])
    assert result.exit_code == 0, result.output
    assert "345,600 (1.33333 a second)" in result.output or "345,600 (1.333 a second)" in result.output
    assert "(default)" in result.output
    assert "disk_for_outage" in result.output


def test_a_plan_takes_limits_and_rate_of_the_pipeline_and_makes_no_journal(shop: Path) -> None:
    shop.write_text(shop.read_text().replace("api_key", "rate = 20, api_key"))
    (answer,) = objects(call(shop, *ASKED, "--json"))
    assert answer["receipts"] == 345_600
    assert any(line.startswith("20 requests a second") for line in answer["assumptions"])
    assert answer["catch_up_files"] is None  # no fallback is configured
    assert not (shop.parent / "state").exists()
    assert call(shop, *ASKED, "--rate", "0").exit_code == 2


# --- top ----------------------------------------------------------------------------------------------------------


def test_top_once_is_plain_text(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    result = call(shop, "top", "--once")
    assert result.exit_code == 0
    assert "\x1b" not in result.output
    lines = [line.split() for line in result.output.splitlines()]
    assert lines[0][:2] == ["shop:", "online"]
    assert ["store", "till", "last", "seen", "today", "undelivered", "oldest", "held"] in lines
    row = next(line for line in lines if line[0] == "12")
    assert row[1] == "1"  # one till
    assert "2" in row  # undelivered
    (answer,) = objects(call(shop, "top", "--once", "--tills", "--json"))
    assert answer["counts"]["held"] == 1
    assert {each["till"]: each["undelivered"] for each in answer["stores"] if each["store"] == "12"} == {"1": 2}


class Terminal:
    """`tillpost top` in a pseudo-terminal."""

    def __init__(self, shop: Path, *words: str, term: str = "xterm") -> None:
        self.master, slave = pty.openpty()
        self.resize(24, 80)
        self.process = subprocess.Popen(
            [sys.executable, "-m", "tillpost", "--config", str(shop), "top", *words],
            stdin=slave, stdout=slave, stderr=slave, start_new_session=True,
            env=os.environ | {"TERM": term, "ENGAGE_API_KEY": "k"},
            # Who starts the tests in the background of a shell has them ignore Ctrl-C, and so would this.
            preexec_fn=lambda: signal.signal(signal.SIGINT, signal.SIG_DFL),
        )  # fmt: skip
        os.close(slave)
        self.seen = b""

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_: object) -> None:
        if self.process.poll() is None:
            self.process.kill()
        self.process.wait()
        os.close(self.master)

    def resize(self, rows: int, columns: int) -> None:
        fcntl.ioctl(self.master, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))

    def until(self, text: bytes, start: int = 0) -> int:
        """Read on until it was seen behind `start`; where that was."""
        end = time.monotonic() + 60
        while (place := self.seen.find(text, start)) < 0:
            assert time.monotonic() < end, self.seen
            if select.select([self.master], [], [], 0.2)[0]:
                try:
                    self.seen += os.read(self.master, 65536)
                except OSError:  # the other end is closed
                    assert text in self.seen[start:], self.seen
        return place


def test_top_is_live_follows_the_size_and_ends_with_q(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    with Terminal(shop, "--every", "200ms") as terminal:
        terminal.until(b"q ends")
        assert b"\x1b[?1049h" in terminal.seen
        terminal.resize(3, 20)
        cut = terminal.until("… ".encode(), len(terminal.seen))
        end = terminal.until(b"q ends", cut)
        frame = terminal.seen[terminal.seen.rindex(b"\x1b[H", 0, cut) + 3 : end].decode()
        lines = [line.replace("\x1b[K", "").replace("\x1b[J", "") for line in frame.split("\r\n")]
        assert [line for line in lines if len(line) > 20] == []
        os.write(terminal.master, b"x")  # another key ends nothing
        terminal.until(b"q ends", len(terminal.seen))
        os.write(terminal.master, b"q")
        terminal.until(b"\x1b[?1049l")
        assert terminal.process.wait(30) == 0


def test_top_ends_with_ctrl_c_and_leaves_the_terminal_as_it_was(shop: Path) -> None:
    with Terminal(shop) as terminal:
        terminal.until(b"q ends")
        terminal.process.send_signal(signal.SIGINT)
        terminal.until(b"\x1b[?25h\x1b[?1049l")
        assert terminal.process.wait(30) == 0


def test_top_on_a_dumb_terminal_writes_no_escapes(shop: Path) -> None:
    with Terminal(shop, "--once", term="dumb") as terminal:
        terminal.until(b"held")
        assert terminal.process.wait(30) == 0
        assert b"\x1b" not in terminal.seen


def test_names_from_outside_do_nothing_to_the_terminal(shop: Path) -> None:
    call(shop, "accept", str(shop.parent / "day.jsonl"))
    other = apsw.Connection(str(shop.parent / "state" / "shop" / "journal.db"))
    other.execute("UPDATE tills SET store = char(27) || '[2J'")  # what reading a receipt would not let in
    other.close()
    result = call(shop, "top", "--once")
    assert "\x1b" not in result.output
    assert "\\x1b[2J" in result.output
    (answer,) = objects(call(shop, "top", "--once", "--json"))
    assert "\x1b[2J" in {each["store"] for each in answer["stores"]}


def test_an_account_says_where_each_record_is_and_what_was_not_read(closed: Path) -> None:
    (closed.parent / "more.jsonl").write_bytes(dumps(receipt(number="3")) + b"\n{}\n" + dumps(receipt(number="1")))
    call(closed, "accept", str(closed.parent / "more.jsonl"))
    result = call(closed, "account")
    assert result.exit_code == 1  # one is broken
    assert "shop: 4 records read" in result.output
    assert "records 4 = 3 receipts + 1 broken" in result.output
    assert "receipts 3 = 2 accepted by API + 1 on the way" in result.output
    assert "broken 1 = 1 held" in result.output
    result = call(closed, "account", "--document", "more.jsonl")
    assert "records 3 = 1 receipt + 1 broken + 1 in the journal before" in result.output
    told = objects(call(closed, "account", "--day", "2026-11-24", "--store", "12", "--json"))[0]["pipelines"]["shop"][0]
    assert (told["of"], told["records"], told["receipts"]["sum"]) == ("2026-11-24 store 12", 3, 3)
    assert told["receipts"]["accepted_by_api"] == 2
    assert told["unread"] == {}
    assert call(closed, "account", "--day", "yesterday").exit_code == 0


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (("--document", "nothing"), "no document nothing"),
        (("--store", "12"), "--store needs --day"),
        (("--day", "24.11.2026"), "not '24.11.2026'"),
        (("--day", "today", "--document", "a"), "give one of them"),
    ],
)
def test_an_account_of_what_is_not_there_is_refused(closed: Path, words: tuple[str, ...], message: str) -> None:
    refused = call(closed, "account", *words).exception
    assert isinstance(refused, UsageError)
    assert message in str(refused)
