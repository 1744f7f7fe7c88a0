"""The configuration of a drill: the operator's own, with the destination replaced by the sandbox."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs

from tillpost import UsageError
from tillpost_demo.config import KEY_FILE, sandbox_transfer
from tillpost_demo.toml import write_pipeline

_LEAST = timedelta(milliseconds=50)
"""The shortest wait: below it only the machine's own speed would be measured."""
_ONE_MINUTE = 45.0
"""Seconds a quick drill may wait in all; starting and comparing take the rest of a minute."""
_SHORTEST = 3.0
"""The shortest outage of a quick drill, in seconds: three calls must have time to fail."""
GENERATED = ("externalId", "email", "mobilePhone")
"""The kinds of identifiers that generated customers have."""


@attrs.frozen(kw_only=True)
class Rehearsal:
    """What is rehearsed. pipeline: the operator's, as `tillpost.compose.portable` gives it. length: of the outage.

    factor: what all durations are divided by. generated: whether the receipts are generated.
    """

    name: str
    pipeline: Mapping[str, Any]
    length: timedelta
    factor: int
    generated: bool

    def limit(self, slot: str, key: str) -> timedelta:
        """One of the limits as configured; zero without the slot."""
        found: timedelta = self.pipeline.get(slot, {}).get(key, timedelta(0))
        return found

    def seconds(self, duration: timedelta) -> float:
        """A configured duration as it is in this drill."""
        return max(duration / self.factor, _LEAST if duration else timedelta(0)).total_seconds()

    def replaced(self) -> list[str]:
        """What of the configuration was not rehearsed, for the report."""
        lines = [
            "transport: url and api_key are the sandbox's",
            "source: documents come from a folder of the drill, not by "
            + (f"`{self.pipeline['source']['use']}`" if "source" in self.pipeline else "hand"),
            "state: a folder of the drill",
        ]
        if (transfer := self.pipeline.get("transfer")) is not None:
            own = "" if transfer["use"] == "sftp" else f"; `{transfer['use']}` itself was not rehearsed"
            lines.append(f"transfer: the sandbox's SFTP server{own}")
        if self.generated and self.pipeline["adapter"]["use"] != "receipts":
            adapter = self.pipeline["adapter"]["use"]
            lines.append(
                f"adapter: `receipts` reads the generated receipts; --from rehearses `{adapter}` with a document"
            )
        if "observe" in self.pipeline:
            lines.append("observe: omitted, so that nobody is notified of a drill")
        if self.factor > 1:
            lines.append(
                f"time: every duration above is divided by {self.factor}; a quick drill shows the course, not the speed"
            )
        return lines


def factor_for(pipeline: Mapping[str, Any], length: timedelta) -> int:
    """What a quick drill divides by, so that the outage and the waits after it fit into a minute."""
    waits: timedelta = length + 2 * pipeline["transport"]["wait_max"] + pipeline["transport"]["confirm_after"]
    if "fallback" in pipeline:
        waits += 4 * pipeline["fallback"]["check_every"] + 2 * pipeline["transfer"]["wait_max"]
    return max(1, min(round(waits.total_seconds() / _ONE_MINUTE), int(length.total_seconds() / _SHORTEST)))


def check(pipeline: Mapping[str, Any], generated: bool) -> None:
    """Raise UsageError for a pipeline that the sandbox cannot rehearse."""
    if pipeline["transport"]["use"] != "engage":
        raise UsageError(f"the sandbox is an Engage; a transport `{pipeline['transport']['use']}` cannot be rehearsed")
    keys = [key for use in pipeline["resolve"] if use["use"] == "engage" for key in use.get("keys", GENERATED)]
    if generated and not set(keys) & set(GENERATED):
        raise UsageError(
            f"generated customers have {', '.join(GENERATED)}, and resolve looks up by {', '.join(keys) or 'none'}: "
            "give documents of your own with --from"
        )


def sandbox_settings(rehearsal: Rehearsal) -> dict[str, object]:
    """Settings of a sandbox as this pipeline expects it, with imports at the drill's speed."""
    fallback, mapping = rehearsal.pipeline.get("fallback", {}), rehearsal.pipeline["map"]
    settings: dict[str, object] = {
        key: fallback[key] for key in ("contacts_root", "contacts_namespace") if key in fallback
    }
    if "price_basis" in mapping:
        settings["price_basis"] = mapping["price_basis"]
    tables = [mapping, fallback, *rehearsal.pipeline["resolve"]]
    kinds = [table["contact_type"] for table in tables if table.get("contact_type")]
    settings["contact_types"] = list(dict.fromkeys([*kinds, "Member", "Contact"]))
    every = {"import_every": timedelta(seconds=30), "import_files_every": timedelta(seconds=15)}
    return settings | {name: max(0.3, rehearsal.seconds(pause)) for name, pause in every.items()}


def write_rehearsal(rehearsal: Rehearsal, folder: Path, engage: Mapping[str, object], name: str) -> Path:
    """Write `NAME.toml` into the folder that has its secrets, with state in `NAME-state`; returns its path."""
    table = {key: value for key, value in rehearsal.pipeline.items() if key != "observe"}
    table["source"] = {"use": "folder", "path": "inbox", "settle": "0s", "poll": "500ms"}
    if rehearsal.generated:
        table["adapter"] = {"use": "receipts"}
    table["transport"] = table["transport"] | {"url": engage["url"], "api_key": {"file": KEY_FILE}}
    if "fallback" in table:
        # The sandbox has the folders of the contract, whatever those of the configuration are called.
        own = ("receipts_folder", "contacts_folder")
        table["fallback"] = {key: value for key, value in table["fallback"].items() if key not in own}
        core = {key: value for key, value in table["transfer"].items() if isinstance(value, timedelta) or key == "when"}
        table["transfer"] = core | sandbox_transfer(engage)
    return write_pipeline(folder, name, "Written by `tillpost drill`.", rehearsal.name, _paced(table, rehearsal))


def _paced(value: Any, rehearsal: Rehearsal) -> Any:
    """Durations at the drill's speed, as the configuration writes them."""
    if isinstance(value, timedelta):
        return f"{rehearsal.seconds(value) * 1000:.0f}ms"
    if isinstance(value, Mapping):
        return {key: _paced(item, rehearsal) for key, item in value.items()}
    if isinstance(value, list):
        return [_paced(item, rehearsal) for item in value]
    return value
