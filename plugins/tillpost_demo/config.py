"""The configuration the demo writes: an ordinary one, with waits of seconds instead of minutes."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path

from tillpost_demo.toml import write_pipeline

PIPELINE = "stores"
KEY_FILE = "engage.key"
PASSWORD_FILE = "sftp.password"  # noqa: S105 - a file's name


def write_config(
    folder: Path,
    adapter: Mapping[str, str],
    anonymous: str | None,
    engage: Mapping[str, object],
    *,
    rate: int,
    name: str,
) -> Path:
    """Write `NAME.toml` in `folder`, with state in `NAME-state`; returns its path. engage: what the sandbox printed."""
    tables = {
        "source": {"use": "folder", "path": "inbox", "done": "inbox/done", "settle": "0s", "poll": "0.2s"},
        "adapter": adapter,
        "resolve": [
            {"use": "known"},
            {"use": "engage", "keys": ["externalId", "email", "mobilePhone"], "create": True, "source": "POS"},
        ],
        "map": {"use": "engage", "price_basis": "line"},
        "transport": {
            "use": "engage",
            "url": engage["url"],
            "api_key": {"file": KEY_FILE},
            "rate": rate,
            "timeout": "5s",
            "attempts": 3,
            "wait_initial": "0.3s",
            "wait_max": "1s",
            "confirm_after": "2s",
        },
        "fallback": {
            "use": "engage-xml",
            "after": "2s",
            "every": "1s",
            "check_every": "0.5s",
            "confirm_within": "60s",
            "max_lines": 20000,
        },
        "transfer": sandbox_transfer(engage) | {"wait_initial": "0.3s", "wait_max": "1s"},
    }
    own: dict[str, object] = {} if anonymous is None else {"anonymous": anonymous}
    return write_pipeline(folder, name, "Written by `tillpost demo`.", PIPELINE, own | tables)


def sandbox_transfer(engage: Mapping[str, object]) -> dict[str, object]:
    """The transfer to the sandbox's SFTP server. engage: what the sandbox printed when it was ready."""
    return {
        "use": "sftp",
        "host": "127.0.0.1",
        "port": engage["sftp"],
        "user": engage["user"],
        "password": {"file": PASSWORD_FILE},
        "host_key": engage["host_key"],
        "path": engage["path"],
    }


def write_secrets(folder: Path, api_key: str, password: str) -> None:
    """The two secrets, readable by their owner only."""
    for name, value in ((KEY_FILE, api_key), (PASSWORD_FILE, password)):
        path = folder / name
        path.touch(mode=0o600)
        path.write_text(value, encoding="utf-8")
