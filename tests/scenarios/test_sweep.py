"""kill -9 at every write, sync, rename and unlink of the five steps; after each, the launcher runs to the end."""

from __future__ import annotations

import json
import shutil
import threading
import urllib.request
from collections import Counter
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from hashlib import sha256
from pathlib import Path

import apsw
import attrs
import pytest
from lxml import etree

from tests.support.program import needed
from tests.support.receipts import receipt
from tests.support.shop import Shop
from tests.support.strace import Ended, Steps
from tillpost.journal import FileState, Journal
from tillpost.model import Customer, Identifier
from tillpost.model.receipt_json import dumps

AT_ONCE = 6
"""Kills at a time: most of one is waiting, so more than there are cores."""
GIVEN = {"1.jsonl": (2, 3), "2.jsonl": (4,)}
"""Document → the numbers of its receipts; 2 and 3 are of one new contact, 4 of another."""
CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
source    = {{ use = "folder", path = "inbox", settle = "0s", poll = "20ms" }}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage", keys = ["email"] }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, rate = 100000, \
timeout = "30s", wait_initial = "20ms", wait_max = "50ms", confirm_after = "400ms" }}
fallback  = {{ use = "engage-xml", after = "60s", check_every = "50ms", confirm_within = "60s" }}
transfer  = {{ use = "sftp", host = "127.0.0.1", port = {sftp}, user = "{user}", \
password = {{ env = "SFTP_PASSWORD" }}, host_key = "{host_key}", path = "{path}", \
wait_initial = "50ms", wait_max = "200ms" }}
"""


@attrs.define
class Points:
    """The kill points of a step: each call's first, second, … until the step ends before its turn comes.

    every: 2 leaves out every second one. seen: how often each call was made without a kill. One made over the network
    may be made a few times less or more, as pieces arrive.
    """

    seen: Counter[str]
    every: int = 1
    left: dict[str, int] = attrs.field(init=False)
    hit: Counter[str] = attrs.field(factory=Counter)
    lock: threading.Lock = attrs.field(factory=threading.Lock)

    def __attrs_post_init__(self) -> None:
        self.left = dict.fromkeys(self.seen, 1 - self.every)

    def __iter__(self) -> Iterator[tuple[str, int]]:
        while True:
            with self.lock:
                if not self.left:
                    return
                call = next(iter(self.left))
                self.left[call] += self.every
                point = call, self.left[call]
            yield point

    def came(self, call: str, number: int, killed: bool) -> None:
        """Note whether the kill came. When it did not there is no later one, if all that were seen had their turn."""
        with self.lock:
            if killed:
                self.hit[call] += 1
            elif number > self.seen[call]:
                self.left.pop(call, None)


@pytest.fixture(scope="module")
def shop(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Shop]:
    needed("strace", "strace")
    with Shop(tmp_path_factory.mktemp("shop")) as shop:
        body = json.dumps({"import_every": 0.1, "import_files_every": 0.1}).encode()
        url, kind = f"{shop.ready['control']}/_sandbox/settings", {"Content-Type": "application/json"}
        urllib.request.urlopen(urllib.request.Request(url, body, kind), timeout=30).close()
        yield shop


STEPS = ("accept", "deliver", "write_files", "transfer", "reconcile")


@pytest.mark.timeout(600)
@pytest.mark.parametrize(
    ("step", "every"), [("deliver", 12), *(pytest.param(each, 1, marks=pytest.mark.slow) for each in STEPS)]
)
def test_a_kill_at_every_point_of_a_step_loses_and_doubles_nothing(
    shop: Shop, tmp_path: Path, step: str, every: int, measured: Callable[[str], None]
) -> None:
    """strace kills; then 0 acknowledged receipts are lost, 0 have two ids, each is in the sandbox exactly once."""
    name = f"{step}{every}"  # the stores of this test in the sandbox
    with Steps(shop.environment) as steps:
        config = prepared(shop, tmp_path, f"{name}-whole")
        called, ended = steps.count(step, config, shop.ready["control"])
        assert ended.code == 0
        settled(config.parent, steps)
    calls = Counter(called)
    points = Points(calls, every)

    def sweep() -> None:
        with Steps(shop.environment) as steps:
            for call, number in points:
                config = prepared(shop, tmp_path, f"{name}-{call}-{number}")
                ended = steps.kill(step, config, shop.ready["control"], call, number)
                assert ended.code in (-9, 0), f"{config.parent.name}: exit code {ended.code}"
                points.came(call, number, ended.killed)
                whole(config.parent, ended)
                settled(config.parent, steps)

    with ThreadPoolExecutor(AT_ONCE) as pool:
        for done in [pool.submit(sweep) for _ in range(AT_ONCE)]:
            done.result()
    measured(f"{step}: killed at {points.hit.total()} points ({dict(points.hit)})")
    arrived(shop, name, [folder.name for folder in tmp_path.iterdir()])
    assert set(points.hit) == set(calls)
    assert points.hit.total() >= 50 / every


def prepared(shop: Shop, folder: Path, name: str) -> Path:
    """A state folder of its own, with receipts and contacts nobody has seen; the configuration."""
    inbox = folder / name / "inbox"
    inbox.mkdir(parents=True)
    for document, numbers in GIVEN.items():
        (inbox / document).write_bytes(content(name, numbers))
    config = folder / name / "tillpost.toml"
    config.write_text(CONFIG.format(**shop.ready))
    return config


def content(store: str, numbers: tuple[int, ...]) -> bytes:
    rows = []
    for number in numbers:
        customer = Customer(identifiers=(Identifier("email", f"{store}-{number // 2}@example.se"),))
        made = receipt(number=str(number), price=f"{number}.00")
        rows.append(dumps(attrs.evolve(made, store=store, id=f"{store}-{number}", customer=customer)) + b"\n")
    return b"".join(rows)


def whole(folder: Path, ended: Ended) -> None:
    """As the kill left it: what was acknowledged is in the journal, and no file is partial under a final name."""
    written = {path.name: path for path in (folder / "state").glob("shop/fallback/*/*.xml") if path.name[0] != "."}
    for path in written.values():
        etree.parse(path)
    for path in (*folder.glob("inbox/*.jsonl"), *folder.glob("inbox/done/*")):
        assert path.read_bytes() == content(folder.name, GIVEN[path.name]), path
    # A copy, for whoever opens the journal recovers it, and that is what the restart has to do.
    copy = folder / "copy"
    shutil.copytree(folder / "state" / "shop", copy)
    journal = Journal(copy)
    try:
        known = {entry.id for entry in journal.receipts.find({})}
        for document in (said.split()[1] for said in ended.said):
            assert known >= {f"{folder.name}-{number}" for number in GIVEN[document]}, f"{folder.name}: lost"
        for file in journal.files.all():
            if file.state is not FileState.CONFIRMED:
                assert file.file.name in written, f"{folder.name}: the journal waits for a file that is gone"
                assert sha256(written[file.file.name].read_bytes()).hexdigest() == file.file.sha256
    finally:
        journal.close()


def settled(folder: Path, steps: Steps) -> None:
    """A restart, without a kill, brings everything to its end and leaves nothing lying about."""
    ended = steps.run(folder / "tillpost.toml")
    assert ended.code == 0, f"{folder.name}: {(folder / 'run.log').read_text()}"
    journal = Journal(folder / "state" / "shop")
    try:
        states = {entry.id: str(entry.state) for entry in journal.receipts.find({})}
        sure = {f"{folder.name}-{number}": "delivered" for numbers in GIVEN.values() for number in numbers}
        assert states == sure, folder.name
        assert not journal.files.open(), folder.name
    finally:
        journal.close()
    with apsw.Connection(str(folder / "state" / "shop" / "journal.db")) as database:
        assert database.pragma("integrity_check") == "ok", folder.name
    database.close()
    left = [str(path) for path in (folder / "state" / "shop" / "fallback").rglob("*") if path.is_file()]
    assert not left, left
    shutil.rmtree(folder / "state")


def arrived(shop: Shop, name: str, stores: list[str]) -> None:
    """The sandbox has every receipt once and no other, every contact once, and was never shown half a file."""
    rows = shop.sandbox("receipts")
    there = Counter(row["uniqueReceiptId"] for row in rows if row["storeExternalId"].startswith(f"{name}-"))
    numbers = [number for given in GIVEN.values() for number in given]
    assert there == Counter(f"{store}-{number}" for store in stores for number in numbers)
    mails = Counter(contact["attributes"]["email"] for contact in shop.sandbox("contacts"))
    mails = Counter({mail: count for mail, count in mails.items() if mail.startswith(f"{name}-")})
    assert mails == Counter(f"{store}-{half}@example.se" for store in stores for half in (1, 2))
    stats = shop.sandbox("stats")
    assert (stats["duplicated"], stats["create_duplicates"]) == (0, 0)
    unread = [entry for entry in shop.sandbox("log") if entry["level"] == "error"]
    assert not unread, unread[:3]
    left = [path for path in (shop.folder / "sandbox" / "sftp").rglob("*") if path.is_file()]
    assert not left, left
