"""What it runs on: the machine told, the real urllib3 made sure of, and the peers in an environment of their own."""

from __future__ import annotations

import os
import platform
import re
import subprocess
import sys
from importlib import import_module
from importlib.metadata import distribution, packages_distributions
from pathlib import Path

import apsw

from tests.benchmarks.process import ROOT, BenchmarkFailed

BUILD = ROOT / "build" / "benchmarks"
PACKAGES = ("huey", "persist-queue", "requests")


def check_urllib3() -> str:
    """The version of urllib3. Raises BenchmarkFailed for a fork that has taken its place without a word."""
    owners = packages_distributions().get("urllib3", [])
    if owners != ["urllib3"]:
        raise BenchmarkFailed(
            f"`import urllib3` loads {' and '.join(owners) or 'something else'}; use a clean environment"
        )
    imported, told = import_module("urllib3").__version__, distribution("urllib3")
    home = " ".join(told.metadata.get_all("Project-URL") or [])
    if told.version != imported or "github.com/urllib3/urllib3" not in home:
        raise BenchmarkFailed(f"urllib3 {imported} is not the one installed; use a clean environment")
    return told.version


def peers_python() -> Path:
    """The interpreter of the peers' environment, which may not be there."""
    return BUILD / "peers" / "bin" / "python"


def install_peers() -> str:
    """Make the peers' environment when it is not there; why it could not be, "" when it is."""
    if peers_python().exists() and not _lacks():
        return ""
    BUILD.mkdir(parents=True, exist_ok=True)
    try:
        for command in ([sys.executable, "-m", "venv", str(BUILD / "peers")],
                        [str(peers_python()), "-m", "pip", "install", "-q", *PACKAGES]):  # fmt: skip
            subprocess.run(command, check=True, capture_output=True, text=True, timeout=300)
    except (subprocess.SubprocessError, OSError) as error:
        told = getattr(error, "stderr", "") or str(error)
        return f"pip install {' '.join(PACKAGES)}: {told.strip().splitlines()[-1:] or [type(error).__name__]}"
    return ""


def _lacks() -> bool:
    imports = "import huey, persistqueue, requests"
    return bool(subprocess.run([peers_python(), "-c", imports], check=False, capture_output=True).returncode)


def peers_versions() -> dict[str, str]:
    """The versions of the peers that are there."""
    found = {}
    if peers_python().exists():
        listed = subprocess.run([peers_python(), "-m", "pip", "freeze"], capture_output=True, text=True, check=False)
        found = dict(re.findall(r"^([\w-]+)==(\S+)$", listed.stdout, re.M))
    told = {name: found[name] for name in (*PACKAGES, "urllib3") if name in found}
    try:
        syslog_ng = subprocess.run(["/usr/sbin/syslog-ng", "--version"], capture_output=True, text=True, check=False)
        told["syslog-ng"] = re.findall(r"\(([\d.]+)\)", syslog_ng.stdout)[0]
    except (OSError, IndexError):
        pass
    return told


def machine(folder: Path) -> dict[str, str]:
    """What the figures depend on. folder: where the journals are."""
    info = Path("/proc/cpuinfo").read_text()
    model = re.search(r"^model name\s*: (.*)$", info, re.M)
    memory = re.search(r"MemTotal: *(\d+)", Path("/proc/meminfo").read_text())
    return {
        "CPU": f"{model[1].strip() if model else platform.machine()}, {os.cpu_count()} cores",
        "memory": f"{int(memory[1]) / 2**20:.0f} GiB" if memory else "unknown",
        "disk": disk(folder),
        "system": f"{platform.system()} {platform.release()}",
        "Python": platform.python_version(),
        "SQLite": f"{apsw.sqlite_lib_version()} (apsw {apsw.apsw_version()})",
        "urllib3": check_urllib3(),
        "peers": ", ".join(f"{name} {version}" for name, version in peers_versions().items()) or "none",
    }


def disk(folder: Path) -> str:
    """The file system and the kind of disk below a folder, as far as the system tells."""
    mounts = [line.split()[:3] for line in Path("/proc/self/mounts").read_text().splitlines()]
    inside = [row for row in mounts if folder.resolve().is_relative_to(row[1].replace("\\040", " "))]
    if not inside:
        return "unknown"
    device, _, kind = max(inside, key=lambda row: len(row[1]))
    block = re.sub(r"p?\d+$", "", Path(device).resolve().name) if "/" in device else ""
    for name in (Path(device).resolve().name, block):
        turning = Path(f"/sys/block/{name}/queue/rotational")
        if name and turning.exists():
            turns = "disk that turns" if turning.read_text().strip() == "1" else "solid-state disk"
            return f"{kind} on a {'virtual disk' if name.startswith(('vd', 'xvd')) else turns} ({name})"
    return f"{kind} on {device}" if device != kind else kind


def in_memory(folder: Path) -> bool:
    """Whether the folder is on a file system that forgets: then nothing measured of durable writes means anything."""
    return disk(folder).startswith(("tmpfs", "ramfs"))
