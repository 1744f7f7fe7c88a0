"""docs/operators/deploy: the unit is hardened and lets the line work; the container's conditions suffice."""

from __future__ import annotations

import json
import os
import re
import shlex
import shutil
import subprocess
import sys
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tests.benchmarks.running_sink import RunningSink
from tests.support.program import missing, needed
from tests.support.sink_shop import SinkShop
from tillpost.cli import cli

pytestmark = pytest.mark.slow

DEPLOY = Path(__file__).parents[2] / "docs" / "operators" / "deploy"
UNIT = DEPLOY / "tillpost.service"
ROOT = Path(__file__).parents[2]
USER = 10001
"""Of the Dockerfile; nobody on this machine."""


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[SinkShop]:
    with RunningSink() as sink:
        yield SinkShop(tmp_path, sink)


def settings(unit: str) -> dict[str, list[str]]:
    found: dict[str, list[str]] = {}
    for name, value in re.findall(r"^([A-Za-z]+)=(.*)$", unit, re.M):
        found.setdefault(name, []).append(value)
    return found


def parsed(words: list[str]) -> None:
    """Let click read a command line of `tillpost`. Raises ClickException for what it does not know."""
    name, *rest = words
    command = cli.get_command(click.Context(cli), name)
    assert command is not None, name
    command.make_context(name, rest).close()


def test_the_unit_scores_at_most_two() -> None:
    analyze = needed("systemd-analyze", "systemd")
    done = subprocess.run(
        [analyze, "security", "--offline=true", "--threshold=20", "--no-pager", str(UNIT)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    found = re.search(r"Overall exposure level for tillpost.service: ([0-9.]+)", done.stdout)
    assert found is not None
    assert float(found[1]) <= 2.0
    assert f"scores {found[1]} in" in (DEPLOY / "README.md").read_text(), "the page says what it is"


def test_systemd_understands_every_line_of_the_unit(tmp_path: Path) -> None:
    analyze = needed("systemd-analyze", "systemd")
    here = tmp_path / UNIT.name
    here.write_text(UNIT.read_text().replace("/opt/tillpost/bin/tillpost", sys.executable))
    done = subprocess.run([analyze, "verify", "--man=no", str(here)], capture_output=True, text=True, check=False)
    ours = [line for line in (done.stdout + done.stderr).splitlines() if "tillpost" in line]
    assert ours == []


def test_the_unit_calls_commands_that_are_there_and_gives_them_their_time() -> None:
    said = settings(UNIT.read_text())
    for name in ("ExecStart", "ExecReload"):
        (line,) = said[name]
        program, *words = shlex.split(line)
        assert program == "/opt/tillpost/bin/tillpost"
        parsed(words)
    assert (said["Type"], said["NotifyAccess"]) == (["notify"], ["main"])
    grace = 30
    assert int(said["TimeoutStopSec"][0]) > grace
    assert int(said["WatchdogSec"][0]) > 2 * grace, "a reload may wait that long for calls in flight"
    assert said["RestartPreventExitStatus"] == ["2 78"]


def test_every_system_call_of_the_line_is_in_the_filter_of_the_unit(shop: SinkShop) -> None:
    """The receipts of a document from the inbox to the destination."""
    analyze, strace = needed("systemd-analyze", "systemd"), needed("strace", "strace")
    said = settings(UNIT.read_text())["SystemCallFilter"]
    allowed = calls(analyze, said[0].split())
    refused = calls(analyze, said[1].removeprefix("~").split())
    shop.put("1.jsonl", 0, 20)
    log = shop.folder / "calls"
    done = subprocess.run(
        [strace, "-f", "-qq", "-c", "-o", str(log), *shop.command("run", "--until-idle")],
        env=os.environ | {"ENGAGE_API_KEY": "key"}, capture_output=True, text=True, timeout=240, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert shop.delivered() == 20
    rows = [line.split() for line in log.read_text().splitlines()[1:]]
    made = {row[-1] for row in rows if row and row[0][0].isdigit()} - {"total"}
    assert {"openat", "fsync"} & made, "it was looked at"
    if os.geteuid() == 0:
        made.discard("fchown")  # as root SQLite gives its files to who owns the journal
    assert made - allowed == set()
    assert made & refused == set()


def calls(analyze: str, names: list[str]) -> set[str]:
    """The calls of groups, and of the groups in them."""
    found: set[str] = set()
    for name in names:
        if not name.startswith("@"):
            found.add(name)
            continue
        said = subprocess.run(
            [analyze, "syscall-filter", "--no-pager", name], capture_output=True, text=True, check=True
        )
        inner = [line.strip() for line in said.stdout.splitlines()[1:] if line.strip() and "#" not in line]
        found |= calls(analyze, inner)
    return found


INSTRUCTIONS = {
    "FROM", "COPY", "RUN", "ENV", "USER", "WORKDIR", "VOLUME", "STOPSIGNAL", "HEALTHCHECK", "ENTRYPOINT", "CMD",
}  # fmt: skip


def instructions() -> list[tuple[str, str]]:
    text = re.sub(r"^#.*\n", "", (DEPLOY / "Dockerfile").read_text(), flags=re.M).replace("\\\n", " ")
    return [(line.split(None, 1)[0], line.split(None, 1)[1].strip()) for line in text.splitlines() if line.strip()]


def test_the_dockerfile_has_two_stages_a_pinned_base_and_a_user_that_is_not_root() -> None:
    made = instructions()
    assert {name for name, _ in made} <= INSTRUCTIONS
    bases = [value for name, value in made if name == "FROM"]
    assert len(bases) == 2
    assert bases[0].split(" AS ")[0] == bases[1]
    assert re.fullmatch(r"python:3\.\d+-slim-[a-z]+", bases[1]), "a tag that says what it is"
    last = dict(made[max(at for at, (name, _) in enumerate(made) if name == "FROM") :])
    assert last["USER"] == f"{USER}:{USER}"
    assert json.loads(last["VOLUME"]) == [last["WORKDIR"]]
    assert last["STOPSIGNAL"] == "SIGTERM"
    assert json.loads(last["ENTRYPOINT"]) == ["tillpost"]
    parsed(json.loads(last["CMD"]))
    health = last["HEALTHCHECK"].partition("CMD ")[2]
    command, *redirected = health.split(";")[0].split(">")
    assert len(redirected) == 1
    parsed(shlex.split(command)[1:])


def test_it_works_as_nobody_with_a_root_that_is_read_only(shop: SinkShop) -> None:
    """The conditions of the container, by bubblewrap: another uid, no capability, all read-only but state and inbox."""
    bwrap = needed("bwrap", "bubblewrap")
    shop.put("1.jsonl", 0, 20)
    for each in (shop.folder / "state", shop.folder / "shop-inbox"):
        each.mkdir(exist_ok=True)
    assert Counter(path.name for path in shop.folder.iterdir()) == Counter(["state", "shop-inbox", "tillpost.toml"])
    inside = [
        bwrap, "--ro-bind", "/", "/", "--dev", "/dev", "--proc", "/proc", "--tmpfs", "/tmp",
        "--ro-bind", str(shop.folder), str(shop.folder),
        "--bind", str(shop.folder / "state"), str(shop.folder / "state"),
        "--bind", str(shop.folder / "shop-inbox"), str(shop.folder / "shop-inbox"),
        *visible(), "--unshare-user", "--uid", str(USER), "--gid", str(USER), "--unshare-ipc", "--cap-drop", "ALL",
        "--setenv", "PYTHONDONTWRITEBYTECODE", "1", "--setenv", "ENGAGE_API_KEY", "key", "--setenv", "HOME", "/nowhere",
    ]  # fmt: skip

    def run(*words: str) -> subprocess.CompletedProcess[str]:
        return subprocess.run([*inside, *words], capture_output=True, text=True, timeout=240, check=False)

    who = run("sh", "-c", f"id -u; touch {shop.folder}/x; touch /etc/x; grep CapEff /proc/self/status")
    if who.returncode and "namespace" in who.stderr.lower():
        missing(f"no user namespaces here: {who.stderr.strip()}")
    assert who.stdout.split() == [str(USER), "CapEff:", "0000000000000000"]
    assert who.stderr.count("Read-only file system") == 2, who.stderr
    done = run(*shop.command("run", "--until-idle", "--json"))
    assert done.returncode == 0, done.stderr
    assert shop.delivered() == 20
    health = next(value for name, value in instructions() if name == "HEALTHCHECK").partition("CMD ")[2]
    tillpost = shlex.join(shop.command())
    assert run("sh", "-c", health.replace("tillpost status", f"{tillpost} status", 1)).returncode == 0
    shutil.rmtree(shop.folder / "state" / "shop")
    shop.file.write_text("[tillpost")
    assert run("sh", "-c", health.replace("tillpost status", f"{tillpost} status", 1)).returncode != 0


def visible() -> list[str]:
    """What lies below /tmp and is needed: this Python's environment, and the source where it is installed from."""
    kept = {Path(sys.prefix), ROOT}
    return [word for path in kept if path.is_relative_to("/tmp") for word in ("--ro-bind", str(path), str(path))]


def test_log_rotation_is_read_by_logrotate(tmp_path: Path) -> None:
    logrotate = needed("logrotate", "logrotate")
    here = tmp_path / "logrotate.conf"
    here.write_text((DEPLOY / "logrotate.conf").read_text().replace("tillpost adm", "root root"))
    here.chmod(0o644)
    done = subprocess.run(
        [logrotate, "--debug", "--state", str(tmp_path / "state"), str(here)],
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert "error" not in done.stderr.lower(), done.stderr
