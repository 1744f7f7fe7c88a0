"""How fast receipts are delivered, against a bare urllib3 loop that POSTs the same bodies, side by side.

    python -m tests.benchmarks.deliver_ratio [--receipts 20000] [--runs 5] [--connections 32 8 4 2] [--delay 0 0.05]

Prints JSON, one object a delay and number of connections: receipts/s from the first to the last POST at the sink, CPU
seconds per 1,000, medians of alternating runs; the ratio to the bare loop, and to connections ÷ delay, with its spread.

Ours: `tillpost run --until-idle` on a journal that `tillpost accept` has filled, every contact looked up once. Bare:
threads that take bodies from a list and POST them with `urllib3.HTTPConnectionPool`, read the answer, and keep nothing.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import resource
import shutil
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from importlib.metadata import version
from pathlib import Path
from typing import Any

import urllib3

from tests.benchmarks.receipts import sale
from tests.benchmarks.running_sink import RunningSink
from tillpost.model import Identifier
from tillpost.model.receipt_json import loads
from tillpost_engage import wire
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings

CONFIG = """
[tillpost]
state = "state"

[pipelines.shop]
workers   = {workers}
adapter   = {{ use = "receipts" }}
resolve   = [ {{ use = "known" }}, {{ use = "engage" }} ]
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "{url}", api_key = {{ env = "ENGAGE_API_KEY" }}, rate = 1000000 }}
"""
CONTACTS = 2000


def form(number: int) -> dict[str, Any]:
    """A sale to one of CONTACTS, who is known by an e-mail address."""
    email = f"kund{number * 31 % CONTACTS}@example.com"
    return sale(number) | {"customer": {"identifiers": [{"kind": "email", "value": email}]}}


def filled(folder: Path, receipts: int) -> Path:
    """A folder whose journal holds so many accepted receipts; runs are made on copies of it."""
    folder.mkdir(parents=True)
    configure(folder, "http://127.0.0.1:9", 4)
    with (folder / "given.jsonl").open("w") as file:
        file.writelines(json.dumps(form(number), ensure_ascii=False) + "\n" for number in range(receipts))
    done = _tillpost(folder, "accept", "given.jsonl")
    assert done.wait() == 0
    (folder / "given.jsonl").unlink()
    return folder


def configure(folder: Path, url: str, workers: int) -> None:
    """Write the configuration."""
    (folder / "tillpost.toml").write_text(CONFIG.format(url=url, workers=workers))


def _tillpost(folder: Path, *words: str) -> subprocess.Popen[bytes]:
    command = [sys.executable, "-m", "tillpost", *words]
    environment = os.environ | {"ENGAGE_API_KEY": "key"}
    return subprocess.Popen(command, cwd=folder, env=environment, stdout=subprocess.DEVNULL)


def ours(template: Path, folder: Path, connections: int, delay: float, receipts: int) -> dict[str, float]:
    """One run of `tillpost run` on a copy of the journal."""
    shutil.copytree(template, folder)
    with RunningSink(delay) as sink:
        configure(folder, sink.url, connections)
        before, begun = _used(), time.monotonic()
        process = _tillpost(folder, "run", "--until-idle")
        assert process.wait() == 0
        used, lasted = _used() - before, time.monotonic() - begun
        arrivals, counts = sink.arrivals(), sink.counts()
    shutil.rmtree(folder)
    assert (counts["receipts"], counts["posts"]) == (receipts, receipts)
    return {
        "rate": (receipts - 1) / (arrivals[-1] - arrivals[0]),
        "cpu": used / receipts * 1000,
        "whole": receipts / lasted,
    }


def bare(bodies: list[bytes], connections: int, delay: float, receipts: int) -> dict[str, float]:
    """One run of the bare loop, in a process of its own."""
    with RunningSink(delay) as sink:
        before = _used()
        child = os.fork()
        if not child:
            _loop(bodies, connections, sink.url, receipts)
            os._exit(0)
        assert os.waitpid(child, 0)[1] == 0
        used = _used() - before
        arrivals, posts = sink.arrivals(), sink.counts()["posts"]
    assert posts == receipts
    return {"rate": (receipts - 1) / (arrivals[-1] - arrivals[0]), "cpu": used / receipts * 1000}


def _loop(bodies: list[bytes], connections: int, url: str, receipts: int) -> None:
    pool = urllib3.connection_from_url(url, maxsize=connections, block=True)
    headers = {"apikey": "key", "Content-Type": "application/json", "Accept": "application/json"}
    left: Iterator[int] = iter(range(receipts))
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                number = next(left, None)
            if number is None:
                return
            body = bodies[number % len(bodies)]
            answer = pool.urlopen("POST", "/api/v3/receipts", body=body, headers=headers, retries=False)
            assert answer.status == 202

    threads = [threading.Thread(target=work) for _ in range(connections)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()


def _used() -> float:
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    return children.ru_utime + children.ru_stime


def bodies_of(count: int) -> list[bytes]:
    """The bodies as Engage gets them."""
    mapping = Mapping(MapSettings())
    made = []
    for number in range(count):
        given = form(number) | {"id": f"r{number}", "raw": {"sha256": "0" * 64, "document": "given"}}
        receipt = loads(json.dumps(given).encode())
        match = Identifier("contactId", "00000000-0000-4000-8000-000000000000")
        made.append(wire.dumps(mapping.map_receipt(receipt, match).fields))
    return made


def main() -> None:
    """Print the measurements."""
    parser = argparse.ArgumentParser()
    parser.add_argument("--receipts", type=int, default=20000)
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--connections", type=int, nargs="+", default=[32, 8, 4, 2])
    parser.add_argument("--delay", type=float, nargs="+", default=[0.0, 0.05])
    parser.add_argument("--folder", type=Path, default=None)
    given = parser.parse_args()
    bodies = bodies_of(1000)
    print(
        json.dumps(
            {
                "machine": platform.machine(),
                "cores": os.cpu_count(),
                "python": platform.python_version(),
                "urllib3": version("urllib3"),
                "receipts": given.receipts,
                "bytes": round(statistics.mean(map(len, bodies))),
            }
        ),
        flush=True,
    )
    with tempfile.TemporaryDirectory(dir=given.folder) as home:
        template = filled(Path(home) / "template", given.receipts)
        for delay in given.delay:
            for connections in given.connections:
                _measure(template, Path(home) / "run", bodies, connections, delay, given.receipts, given.runs)


def _measure(
    template: Path, folder: Path, bodies: list[bytes], connections: int, delay: float, receipts: int, runs: int
) -> None:
    pairs = [
        (bare(bodies, connections, delay, receipts), ours(template, folder, connections, delay, receipts))
        for _ in range(runs)
    ]
    ratios = sorted(mine["rate"] / loop["rate"] for loop, mine in pairs)
    told: dict[str, Any] = {"delay": delay, "connections": connections}
    for name, of in (("bare", 0), ("ours", 1)):
        told[name] = {key: round(statistics.median(pair[of][key] for pair in pairs), 3) for key in pairs[0][of]}
    told["ratio"] = {
        "median": round(statistics.median(ratios), 3),
        "spread": [round(ratios[0], 3), round(ratios[-1], 3)],
    }
    if delay:
        told["of_limit"] = round(told["ours"]["rate"] / (connections / delay), 3)
    print(json.dumps(told), flush=True)


if __name__ == "__main__":
    main()
