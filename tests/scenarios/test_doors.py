"""Doors: what stands in a source's way is told by name, and nothing behind it waits (behaviours B12, B20, B21, B24)."""

from __future__ import annotations

import json
import os
import shutil
import socket
import time
import urllib.error
import urllib.request
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path

import pytest

from tests.support.door import FOLDER, NOBODY, POSLOG, WITHOUT_RIGHTS, Door, day, door
from tests.support.mounts import tmpfs, unmount
from tests.support.program import free_ports, needed

pytestmark = pytest.mark.slow


@pytest.fixture
def shop() -> Iterator[Door]:
    with door() as made:
        made.inbox.mkdir()
        yield made


@pytest.fixture
def service() -> Iterator[Door]:
    """The line runs without root's rights over what belongs to others, as it does in a shop."""
    needed("setpriv", "util-linux", root=True)
    with door(*WITHOUT_RIGHTS) as made:
        made.inbox.mkdir()
        yield made


def _bind(path: Path) -> None:
    with socket.socket(socket.AF_UNIX) as bound:
        bound.bind(str(path))


def test_b12_a_file_that_may_not_be_read_stands_in_the_way_of_none(service: Door) -> None:
    secret = service.inbox / "1-secret.jsonl"
    secret.write_bytes(day(1, 3))
    secret.chmod(0o600)
    os.chown(secret, NOBODY, NOBODY)
    odd: dict[str, Callable[[Path], object]] = {
        "2-folder": lambda path: path.mkdir(),
        "3-pipe": os.mkfifo,
        "4-link": lambda path: path.symlink_to("/etc/passwd"),
        "5-socket": _bind,
    }
    for name, make in odd.items():
        make(service.inbox / name)
    (service.inbox / "6-empty.jsonl").touch()
    os.utime(service.inbox / "6-empty.jsonl", (time.time() - 60, time.time() - 60))
    (service.inbox / os.fsdecode(b"7-\xff.jsonl")).write_bytes(day(11, 2))
    (service.inbox / ("8" * 249 + ".jsonl")).write_bytes(day(21, 2))
    (service.inbox / "9-good.jsonl").write_bytes(day(31, 4))
    service.start()
    service.until(lambda: service.accepted() == 8)
    service.until(lambda: len(service.documents()) == 6)
    told = service.documents()
    assert {row["state"] for row in told.values()} == {"retry"}
    assert told["1-secret.jsonl"]["reason"] == "cannot be read: permission denied"
    assert [told[name]["reason"].split(";")[0] for name in ("2-folder", "3-pipe", "4-link", "5-socket")] == [
        "is a directory", "is a pipe, not a file", "is a link", "is a socket, not a file",
    ]  # fmt: skip
    assert "is empty" in told["6-empty.jsonl"]["reason"]
    assert "1-secret.jsonl: cannot be read: permission denied" in service.log
    assert ".py" not in service.log
    assert service.status()["documents"] == {"retry": 6}
    time.sleep(3)
    assert service.log.count("1-secret.jsonl") <= 2, "it does not repeat each round"
    secret.chmod(0o644)
    service.until(lambda: service.accepted() == 11, 10)
    service.until(lambda: "1-secret.jsonl" not in service.documents())
    assert (service.inbox / "done" / os.fsdecode(b"7-\xff.jsonl")).is_file()
    assert service.stop() < 5


def test_b12_a_file_that_may_not_be_moved_is_accepted_once_and_moved_later(service: Door) -> None:
    (service.inbox / "day.jsonl").write_bytes(day(1, 5))
    os.chown(service.inbox, NOBODY, NOBODY)
    service.start()
    service.until(lambda: "day.jsonl" in service.documents())
    row = service.documents()["day.jsonl"]
    assert "was accepted, and cannot be moved to" in row["reason"]
    assert "ermission denied" in row["reason"]
    time.sleep(3)
    read = service.answers("documents", "list", "--all", "--name", "day.jsonl", "--state", "read")
    assert [(each["records"], each["again"]) for each in read] == [(5, 0)], "it is not read again each second"
    assert service.accepted() == 5
    os.chown(service.inbox, 0, 0)
    service.until(lambda: not service.documents(), 20)
    assert (service.inbox / "done" / "day.jsonl").is_file()


def test_b20_a_writer_that_pauses_for_longer_than_settle_loses_nothing(shop: Door) -> None:
    shop.start()
    lines = day(1, 60).splitlines(keepends=True)
    with (shop.inbox / "day.jsonl").open("wb", buffering=0) as writer:
        writer.write(b"".join(lines[:25]))
        shop.until(lambda: (shop.inbox / "done" / "day.jsonl").exists())
        assert shop.accepted() == 25
        writer.write(b"".join(lines[25:40]))
        shop.until(lambda: shop.accepted() == 40)
        for line in lines[40:]:  # in bursts
            writer.write(line)
            time.sleep(0.02)
    shop.until(lambda: shop.accepted() == 60)
    assert "was written to after it was put away; it was read again as a whole" in shop.log
    assert "its writer paused for" in shop.log
    rows = shop.answers("documents", "show", "day.jsonl")
    assert (rows[0]["receipts"], rows[-1]["receipts"]) == (60, 25)
    assert sum(row["receipts"] - row["again"] for row in rows) == 60


def test_b20_what_was_written_while_nothing_ran_is_found_at_the_next_start(shop: Door) -> None:
    shop.start()
    (shop.inbox / "day.jsonl").write_bytes(day(1, 5))
    shop.until(lambda: (shop.inbox / "done" / "day.jsonl").exists())
    shop.stop()
    with (shop.inbox / "done" / "day.jsonl").open("ab") as writer:
        writer.write(day(6, 5))
    shop.start()
    shop.until(lambda: shop.accepted() == 10)
    shop.stop()
    shop.start()
    time.sleep(2)
    assert len(shop.answers("documents", "show", "day.jsonl")) == 2, "it is not read again at each start"


@pytest.mark.parametrize("how", ["truncated and written again", "replaced", "zeros first", "mtime set back"])
def test_b20_other_ways_to_change_a_file_after_it_was_taken(shop: Door, how: str) -> None:
    shop.start()
    path, done = shop.inbox / "day.jsonl", shop.inbox / "done" / "day.jsonl"
    whole = day(1, 9)
    if how == "zeros first":
        with path.open("wb", buffering=0) as writer:
            writer.write(bytes(len(whole)))
            shop.until(lambda: not path.exists())
            writer.seek(0)
            writer.write(whole)
    else:
        path.write_bytes(day(1, 4))
        shop.until(done.exists)
        if how == "replaced":
            (shop.folder / "new").write_bytes(whole)
            (shop.folder / "new").replace(done)
        else:
            done.write_bytes(whole)
        if how == "mtime set back":
            os.utime(done, (1e9, 1e9))
    shop.until(lambda: shop.accepted() == 9)


def test_b20_a_writer_goes_on_in_a_file_that_was_copied_away(shop: Door) -> None:
    with tmpfs(shop.folder / "archive", "size=8m"):
        shop.configure(FOLDER.format(path="inbox") + ', done = "archive/done"')
        shop.start()
        with (shop.inbox / "day.jsonl").open("wb", buffering=0) as writer:
            writer.write(day(1, 5))
            shop.until((shop.folder / "archive" / "done" / "day.jsonl").exists)
            writer.write(day(6, 5))
            shop.until(lambda: shop.accepted() == 10)
        assert (shop.folder / "archive" / "done" / "day.jsonl").read_bytes() == day(1, 10)
        shop.stop()


def test_b21_what_is_set_aside_is_told_and_can_be_read_again(shop: Door) -> None:
    shop.start()
    (shop.inbox / "bad.json").write_bytes(b"[" + day(1, 2).splitlines()[0] + b",")
    shop.until(lambda: shop.documents().get("bad.json", {}).get("state") == "set aside")
    row = shop.documents()["bad.json"]
    assert row["place"] == str(shop.inbox / "failed" / "bad.json")
    assert (row["receipts"], row["records"]) == (1, 1)
    assert "bad.json: set aside: " in shop.log
    shop.until(lambda: any(alert["alert"] == "documents" for alert in shop.status()["alerts"]))
    assert any("bad.json" in need["what"] for need in shop.status()["needs_person"])
    assert "bad.json" in shop.call("documents", "list").stdout
    assert shop.call("status").returncode == 1
    # The person repairs the file where it lies: that is noticed.
    (shop.inbox / "failed" / "bad.json").write_bytes(b"[" + b",".join(day(1, 2).splitlines()) + b"]")
    shop.until(lambda: shop.accepted() == 2)
    assert not (shop.inbox / "failed" / "bad.json.reason.txt").exists()


@pytest.mark.parametrize("running", [True, False])
def test_b21_retry_reads_it_again_with_todays_settings(shop: Door, running: bool) -> None:
    shop.configure(FOLDER.format(path="inbox"), adapter=POSLOG)
    shop.start()
    (shop.inbox / "day.jsonl").write_bytes(day(1, 3))
    shop.until(lambda: shop.documents().get("day.jsonl", {}).get("state") == "set aside")
    shop.until((shop.inbox / "failed" / "day.jsonl").exists)
    assert shop.call("documents", "retry").returncode == 2
    done = shop.call("documents", "retry", "--all")
    assert done.returncode == 0, done.stderr
    assert "put back as" in done.stdout
    shop.until(lambda: shop.documents().get("day.jsonl", {}).get("state") == "set aside")
    # The journal knows first; then the file is put away.
    shop.until(
        lambda: {path.name for path in (shop.inbox / "failed").iterdir()} == {"day.jsonl", "day.jsonl.reason.txt"}
    )
    shop.configure(FOLDER.format(path="inbox"))
    if running:
        assert shop.call("reload").returncode == 0
    else:
        shop.stop()
    assert shop.call("documents", "retry", "day.jsonl").returncode == 0
    if not running:
        assert shop.documents()["day.jsonl"]["state"] == "retry"
        shop.start()
    shop.until(lambda: shop.accepted() == 3)
    shop.until(lambda: not shop.documents())


def test_b21_a_request_that_cannot_be_read_is_told_and_can_be_read_again(shop: Door) -> None:
    (port,) = free_ports(1)
    source = f'use = "ingest", listen = "127.0.0.1:{port}"'
    shop.configure(source, adapter=POSLOG)
    shop.start()
    shop.until(lambda: shop.status()["sources"] and shop.status()["sources"][0]["state"] == "working")
    kind = {"Content-Type": "application/jsonl"}
    request = urllib.request.Request(f"http://127.0.0.1:{port}/v1/shop/receipts", day(1, 3), kind)
    with pytest.raises(urllib.error.HTTPError, match="422"):
        urllib.request.urlopen(request, timeout=10)
    (row,) = shop.documents().values()
    assert (row["state"], row["source"]) == ("set aside", "ingest")
    shop.until(lambda: any(alert["alert"] == "documents" for alert in shop.status()["alerts"]))
    failed = shop.call("documents", "retry", row["name"])
    assert failed.returncode == 1
    assert "still cannot be read" in failed.stdout
    shop.configure(source)
    assert shop.call("reload").returncode == 0
    assert shop.call("documents", "retry", row["name"]).stdout.endswith("3 accepted\n")
    assert shop.documents() == {}
    assert shop.accepted() == 3


def test_b24_an_inbox_that_was_never_there_is_not_made(shop: Door) -> None:
    shop.inbox.rmdir()
    shop.start()
    shop.until(lambda: shop.status()["sources"])
    (source,) = shop.status()["sources"]
    assert (source["state"], source["name"]) == ("failing", "folder")
    assert f"{shop.inbox} is not there" in source["reason"]
    shop.until(lambda: any(alert["alert"] == "source folder" for alert in shop.status()["alerts"]))
    assert not shop.inbox.exists()
    time.sleep(2)
    assert shop.log.count("is not there") <= 2, "the log does not repeat each round"
    shop.inbox.mkdir()
    (shop.inbox / "day.jsonl").write_bytes(day(1, 2))
    shop.until(lambda: shop.accepted() == 2)
    shop.until(lambda: shop.status()["sources"][0]["state"] == "working")
    assert shop.stop() < 5


def _is_told_again(shop: Door, text: str, before: int) -> bool:
    return shop.log.count(text) > before


def test_b24_a_share_that_goes_away_is_missed_also_after_a_restart(shop: Door) -> None:
    shop.configure(FOLDER.format(path="share/inbox"))
    share, inbox = shop.folder / "share", shop.folder / "share" / "inbox"
    with tmpfs(share, "size=8m"):
        inbox.mkdir()
        shop.start()
        (inbox / "1.jsonl").write_bytes(day(1, 2))
        shop.until(lambda: shop.accepted() == 2)
        unmount(share)
        inbox.mkdir()  # an empty folder of the same name below the mount point
        (inbox / "2.jsonl").write_bytes(day(3, 2))
        missed, before = "ERROR pipeline shop: source folder", 0
        for _ in range(2):
            # The journal keeps the state of the first process: that the second has looked is in its log.
            shop.until(partial(_is_told_again, shop, missed, before))
            shop.until(lambda: shop.status()["sources"][0]["state"] == "failing")
            assert f"mounted at {share}, and nothing is mounted there now" in shop.status()["sources"][0]["reason"]
            shop.stop()
            before = shop.log.count(missed)
            shop.start()
        assert shop.accepted() == 2
        assert sorted(path.name for path in inbox.iterdir()) == ["2.jsonl"]
    shutil.rmtree(inbox)
    with tmpfs(share, "size=8m"):
        inbox.mkdir()
        (inbox / "3.jsonl").write_bytes(day(5, 2))
        shop.until(lambda: shop.accepted() == 4, 60)
        shop.stop()


def test_s7_nothing_is_written_through_a_link_in_the_drop_folder(shop: Door) -> None:
    victim = shop.folder / "victim"
    victim.write_text("precious")
    (shop.inbox / "failed").mkdir()
    (shop.inbox / "failed" / "bad.json.reason.txt").symlink_to(victim)
    (shop.inbox / "bad.json").write_bytes(b"[1,")
    shop.start()
    shop.until(lambda: shop.documents().get("bad.json", {}).get("state") == "set aside")
    assert victim.read_text() == "precious"
    assert (shop.inbox / "failed" / "bad.json.reason.txt").is_symlink() is False
    shutil.rmtree(shop.inbox / "done", ignore_errors=True)
    (shop.folder / "elsewhere").mkdir()
    (shop.inbox / "done").symlink_to(shop.folder / "elsewhere")
    (shop.inbox / "good.jsonl").write_bytes(day(1, 2))
    shop.until(lambda: shop.status()["sources"][0]["state"] == "misconfigured")
    assert "is a link, and nothing is put into it" in shop.status()["sources"][0]["reason"]
    assert list((shop.folder / "elsewhere").iterdir()) == []
    assert json.loads(shop.call("status", "--json").stdout)["needs_person"]
    (shop.inbox / "done").unlink()
    shop.until(lambda: shop.accepted() == 2)


def test_k5_what_accept_cannot_read_is_told_too(shop: Door) -> None:
    bad = shop.folder / "bad.json"
    bad.write_bytes(b"[1,")
    assert shop.call("accept", str(bad)).returncode == 1
    row = shop.documents()["bad.json"]
    assert (row["state"], row["source"], row["place"]) == ("set aside", "accept", str(bad))
    bad.write_bytes(b"[" + b",".join(day(1, 2).splitlines()) + b"]")
    again = shop.call("documents", "retry", "bad.json")
    assert again.returncode == 1
    assert "has other content by now" in again.stdout
    assert shop.call("documents", "discard", "bad.json", "--reason", "written again").returncode == 0
    assert shop.documents() == {}


def test_k6_one_file_that_accept_cannot_read_stops_none_of_the_others(shop: Door) -> None:
    names = []
    for number in range(1, 6):
        path = shop.folder / f"{number}.jsonl"
        path.write_bytes(day(number, 1))
        names.append(str(path))
    (shop.folder / "folder").mkdir()
    os.mkfifo(shop.folder / "pipe")
    names[1:1] = [str(shop.folder / "folder"), str(shop.folder / "pipe")]
    done = shop.call("accept", *names)
    assert done.returncode == 1
    assert "5 accepted" in done.stdout
    assert f"{shop.folder}/folder cannot be read: is a directory" in done.stderr
    assert f"{shop.folder}/pipe cannot be read: it is not a file" in done.stderr
    assert ".py" not in done.stderr
