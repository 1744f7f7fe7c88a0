"""Who is measured: for each, how its input is accepted and how its deliveries are started. Commands only.

All but the two loops keep what they accepted on the disk. `connections` workers post to a target,
over kept connections.
"""

from __future__ import annotations

import shutil
import sys
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path

import attrs

from tests.benchmarks.environment import peers_python

_HERE = Path(__file__).parent
_PEERS = _HERE / "peers"


@attrs.frozen
class Task:
    """What is to be carried: one file of lines for each target (the sink's address)."""

    folder: Path
    files: tuple[Path, ...]
    targets: tuple[str, ...]
    connections: int
    timeout: float = 3.0

    def pairs(self) -> list[str]:
        """FILE URL FILE URL …"""
        return [word for file, url in zip(self.files, self.targets, strict=True) for word in (str(file), url)]


@attrs.frozen
class Commands:
    """accept: run to their ends, one after another, before `deliver` is started; deliver may be started again."""

    accept: Sequence[Sequence[str]]
    deliver: Sequence[str]
    environment: Mapping[str, str] = attrs.field(factory=dict)


@attrs.frozen
class Contender:
    """One of them.

    share: of the receipts of a race, so that a slow one takes no longer than the others; rates are per second.
    durable: whether what it accepted is to outlive it. peer: a durable Python one, which Tillpost is held against.
    """

    name: str
    prepare: Callable[[Task], Commands]
    missing: Callable[[], str]
    share: float = 1.0
    durable: bool = True
    peer: bool = False


_TILLPOST = """
[pipelines.{name}]
workers = {connections}
adapter = {{ use = "receipts" }}
resolve = [ {{ use = "known" }}, {{ use = "engage", keys = ["externalId"] }} ]
map = {{ use = "engage" }}

[pipelines.{name}.transport]
use = "engage"
url = "{url}"
api_key = "{name}-key"
rate = 1000000
timeout = "{timeout:g}s"
attempts = 1000
wait_initial = "1s"
wait_max = "2s"
confirm_after = "2s"
"""


def tillpost(task: Task) -> Commands:
    """`tillpost accept`, then `tillpost run`; each target is a pipeline with a key of its own."""
    config = task.folder / "tillpost.toml"
    names = [f"shop{number}" for number in range(len(task.targets))]
    config.write_text(
        '[tillpost]\nstate = "state"\n'
        + "".join(
            _TILLPOST.format(name=name, url=url, connections=task.connections, timeout=task.timeout)
            for name, url in zip(names, task.targets, strict=True)
        )
    )
    start = [sys.executable, "-m", "tillpost", "--config", str(config)]
    accept = [[*start, "accept", str(file), "-p", name] for name, file in zip(names, task.files, strict=True)]
    return Commands(accept, [*start, "run"])


def urllib3_loop(task: Task) -> Commands:
    """The bare client."""
    start = [sys.executable, "-m", "tests.benchmarks.urllib3_loop", str(task.connections)]
    return Commands([], [*start, str(task.files[0]), task.targets[0]])


def huey(task: Task) -> Commands:
    """huey's queue and consumer."""
    return _queue("huey_queue.py", task)


def persist_queue(task: Task) -> Commands:
    """persist-queue's SQLiteAckQueue."""
    return _queue("persist_queue.py", task)


def _queue(script: str, task: Task) -> Commands:
    start = [str(peers_python()), str(_PEERS / script)]
    accept = [*start, "accept", str(task.folder), *task.pairs()]
    return Commands([accept], [*start, "deliver", str(task.folder), str(task.connections), str(task.timeout)])


def plain_loop(task: Task) -> Commands:
    """requests.Session and nothing behind it."""
    start = [str(peers_python()), str(_PEERS / "plain_loop.py"), str(task.connections), str(task.timeout)]
    return Commands([], [*start, *task.pairs()])


_SYSLOG_NG = """@version: 3.38
options { stats-freq(0); use-dns(no); keep-hostname(yes); log-msg-size(65536); time-reopen(1); };
"""
_SYSLOG_NG_TARGET = """
source s{number} {{ file("{file}" flags(no-parse) follow-freq(0.1) log-fetch-limit(1000) log-iw-size(10000)); }};
destination d{number} {{
    http(url("{url}/api/v3/receipts") method("POST") headers("Content-Type: application/json") body("${{MESSAGE}}")
         workers({connections}) persist-name("d{number}")
         disk-buffer(reliable(yes) disk-buf-size(2147483648) mem-buf-size(67108864) dir("{folder}")));
}};
log {{ source(s{number}); destination(d{number}); flags(flow-control); }};
"""


def syslog_ng(task: Task) -> Commands:
    """Reads the files and posts them, with the reliable disk buffer between.

    Its own defaults otherwise, but for time-reopen: it would wait 60 seconds before it looks at a failed target again.
    """
    config = task.folder / "syslog-ng.conf"
    config.write_text(
        _SYSLOG_NG
        + "".join(
            _SYSLOG_NG_TARGET.format(
                number=number, file=file, url=url, connections=task.connections, folder=task.folder
            )
            for number, (file, url) in enumerate(zip(task.files, task.targets, strict=True))
        )
    )
    own = {"-R": "persist", "-c": "control", "-p": "pid"}
    options = [word for option, name in own.items() for word in (option, str(task.folder / name))]
    return Commands([], [_syslog_ng() or "syslog-ng", "-F", "--no-caps", "-f", str(config), *options])


def _syslog_ng() -> str | None:
    return shutil.which("syslog-ng", path="/usr/sbin:/usr/bin")


def _syslog_ng_missing() -> str:
    if _syslog_ng() is None:
        return "syslog-ng is missing: apt-get install --no-install-recommends syslog-ng-core syslog-ng-mod-http"
    module = any(Path("/usr/lib").rglob("syslog-ng/*/libhttp.so"))
    return "" if module else "syslog-ng has no http(): apt-get install --no-install-recommends syslog-ng-mod-http"


def _peers_missing() -> str:
    return "" if peers_python().exists() else "its packages could not be installed"


def _nothing() -> str:
    return ""


TILLPOST = Contender("Tillpost", tillpost, _nothing, share=0.5)
LOOP = Contender("urllib3 loop", urllib3_loop, _nothing, durable=False)
SYSLOG_NG = Contender("syslog-ng", syslog_ng, _syslog_ng_missing)
HUEY = Contender("huey", huey, _peers_missing, share=0.5, peer=True)
PERSIST_QUEUE = Contender("persist-queue", persist_queue, _peers_missing, share=0.1, peer=True)
PLAIN = Contender("plain loop", plain_loop, _peers_missing, share=0.5, durable=False)

ALL = (TILLPOST, LOOP, SYSLOG_NG, HUEY, PERSIST_QUEUE, PLAIN)
