"""Where the running Tillpost was installed from, as a line of requirements that finds it again."""

from __future__ import annotations

import json
from importlib.metadata import distribution
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit
from urllib.request import url2pathname

import attrs

from tillpost.version import __version__

EXTRAS = "sftp,testing"
"""What a plugin is tested and tried with; the sandbox needs `sftp`."""


@attrs.frozen
class Origin:
    """A requirement, and a sentence on it for the person who reads the file. missing: the path that is not there."""

    requirement: str
    sentence: str
    missing: str = ""


def origin() -> Origin:
    """From what the installer recorded (PEP 610); from an index when it recorded nothing."""
    return origin_of(distribution("tillpost").read_text("direct_url.json"))


def origin_of(record: str | None) -> Origin:
    """The origin by the text of `direct_url.json`; None: it came from an index, by its name."""
    indexed = f"tillpost[{EXTRAS}]>={__version__}"
    if record is None:
        return Origin(indexed, "Tillpost from the index pip is set up for.")
    recorded: dict[str, Any] = json.loads(record)
    url, editable = recorded["url"], recorded.get("dir_info", {}).get("editable", False)
    if not url.startswith("file:"):
        return Origin(f"tillpost[{EXTRAS}] @ {_address(recorded)}", "Tillpost from where it was installed from.")
    path = Path(url2pathname(urlsplit(url).path))
    if not path.exists():
        return Origin(indexed, f"Tillpost was installed from {path}, which is gone: name where it is.", str(path))
    where = "the wheel" if path.is_file() else "the folder"
    sentence = f"Tillpost from {where} it was installed from here; another machine needs a version or an address."
    return Origin(f'-e "{path}[{EXTRAS}]"' if editable else f"tillpost[{EXTRAS}] @ {url}", sentence)


def _address(recorded: dict[str, Any]) -> str:
    url = recorded["url"]
    if version_control := recorded.get("vcs_info"):
        url = f"{version_control['vcs']}+{url}@{version_control['commit_id']}"
    folder = recorded.get("subdirectory")
    return f"{url}#subdirectory={folder}" if folder else url
