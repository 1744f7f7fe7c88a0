"""The mapping of a pipeline: everything that decides which payload a till's record becomes.

The adapter, `map` and `amend` with their settings, the versions of their packages, and the pipeline's `receipt_id` and
`anonymous`. Its fingerprint changes when any of them does.
"""

from __future__ import annotations

import hashlib
import json
import re
from collections.abc import Mapping
from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from random import Random
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from tillpost.clock import SystemClock
from tillpost.compose.config import Config
from tillpost.compose.pipeline import compose, unlimited
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.plugins import distribution_of, load_plugin
from tillpost.compose.settings import SettingsReader
from tillpost.compose.toml_lines import Lines
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.line import GuardState
from tillpost.model import Identifier
from tillpost.plugin import Secret
from tillpost.version import __version__

SLOTS = ("adapter", "map", "amend")
"""The slots whose plugins build the payload."""
HIDDEN = "***"
"""Replaces a secret that is in the configuration file itself."""
_DECIMAL = "decimal"


def describe_mapping(pipeline: PipelineConfig) -> dict[str, Any]:
    """The mapping as JSON, without secrets: enough to rebuild it where the same versions are installed."""
    return {
        "tillpost": __version__,
        "receipt_id": pipeline.recipe,
        "anonymous": str(pipeline.anonymous.kind + ":" + pipeline.anonymous.value) if pipeline.anonymous else None,
        "uses": [_use(use) for slot in SLOTS for use in pipeline.slots if use.slot == slot],
    }


def fingerprint(pipeline: PipelineConfig) -> str:
    """Twelve hex digits; the same for files that write the same settings differently."""
    what = describe_mapping(pipeline)
    for use in what["uses"]:
        del use["table"]  # the settings have the same values, and the defaults
    return hashlib.sha256(json.dumps(what, sort_keys=True).encode()).hexdigest()[:12]


def ids_fingerprint(pipeline: PipelineConfig) -> str:
    """Twelve hex digits of what makes the ids of receipts: the adapter, its version and settings, `receipt_id`."""
    uses = [_use(use) for use in pipeline.slots if use.slot == "adapter"]
    for use in uses:
        del use["table"]
    return hashlib.sha256(json.dumps([pipeline.recipe, uses], sort_keys=True).encode()).hexdigest()[:12]


def guard_of(pipeline: PipelineConfig) -> GuardState:
    """The mapping guard of a line with this mapping."""
    return GuardState(
        fingerprint=fingerprint(pipeline),
        what=describe_mapping(pipeline),
        hold=pipeline.guard == "hold",
        first=pipeline.guard_first,
    )


def mapping_hooks(config: Config, pipeline: PipelineConfig) -> HookCalls:
    """The hooks of the mapping only. Raises ConfigurationError."""
    only = attrs.evolve(pipeline, slots=tuple(use for use in pipeline.slots if use.slot in SLOTS))
    return compose(config, only, clock=SystemClock(), random=Random(1), budget=unlimited).hooks  # noqa: S311 - no secret


def rebuild_mapping(config: Config, pipeline: PipelineConfig, what: Mapping[str, Any]) -> PipelineConfig | str:
    """The pipeline with a mapping from the journal, or the reason why it cannot be rebuilt."""
    if what.get("tillpost") != __version__:
        return f"it was Tillpost {what.get('tillpost')}, this is {__version__}"
    reader = SettingsReader("", config.file.parent, Lines({}))
    slots: list[SlotConfig] = []
    for use in what["uses"]:
        package, version = distribution_of(use["plugin"])
        if (package, version) != (use["package"], use["version"]):
            return f"plugin {use['plugin']} was {use['package']} {use['version']}, now {package} {version or 'missing'}"
        table = from_json(use["table"])
        if HIDDEN in json.dumps(use["table"]):
            return f"a secret of plugin {use['plugin']} stood in the configuration itself and is not kept"
        kind = load_plugin(use["plugin"]).slots[use["slot"]]
        settings = reader.read(table, kind, (use["slot"],))
        if settings is None:
            return f"the settings of plugin {use['plugin']} cannot be read any more"
        path = (use["slot"], len(slots))
        slots.append(SlotConfig(slot=use["slot"], plugin=use["plugin"], table=table, path=path, settings=settings))
    anonymous = Identifier.parse(what["anonymous"]) if what["anonymous"] else None
    return attrs.evolve(pipeline, slots=tuple(slots), recipe=what["receipt_id"], anonymous=anonymous)


def _use(use: SlotConfig) -> dict[str, Any]:
    package, version = distribution_of(use.plugin)
    return {
        **{"slot": use.slot, "plugin": use.plugin, "package": package, "version": version},
        "table": to_json(without_secrets(use.table, use.settings)),
        "settings": _plain(use.settings),
    }


def without_secrets(value: Any, settings: Any) -> Any:
    """A TOML value with `***` in place of each literal secret.

    settings: what was read from the value; it knows which texts are secrets.
    """
    if isinstance(settings, Secret):
        return value if isinstance(value, Mapping) else HIDDEN
    if isinstance(value, Mapping):
        if isinstance(settings, Mapping):
            return {key: without_secrets(each, settings.get(key)) for key, each in value.items()}
        return {key: without_secrets(each, _attribute(settings, key)) for key, each in value.items()}
    if isinstance(value, list):
        inner = list(settings) if isinstance(settings, tuple | list) else []
        inner += [None] * (len(value) - len(inner))
        return [without_secrets(each, known) for each, known in zip(value, inner, strict=False)]
    return value


def _attribute(settings: Any, key: str) -> Any:
    fields = attrs.fields(type(settings)) if attrs.has(type(settings)) else ()
    return next((getattr(settings, field.name) for field in fields if key in (field.name, field.alias)), None)


def to_json(value: Any) -> Any:
    """A TOML value as JSON; a decimal keeps its digits."""
    if isinstance(value, Decimal):
        return {_DECIMAL: str(value)}
    if isinstance(value, Mapping):
        return {key: to_json(each) for key, each in value.items()}
    if isinstance(value, list):
        return [to_json(each) for each in value]
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def from_json(value: Any) -> Any:
    """The TOML value `to_json` was given."""
    if isinstance(value, Mapping):
        if value.keys() == {_DECIMAL} and isinstance(value[_DECIMAL], str):
            return Decimal(value[_DECIMAL])
        return {key: from_json(each) for key, each in value.items()}
    return [from_json(each) for each in value] if isinstance(value, list) else value


def _plain(value: Any) -> Any:
    """Settings as JSON, whatever class has them."""
    if isinstance(value, Secret):
        return HIDDEN
    if attrs.has(type(value)):
        return {field.name: _plain(getattr(value, field.name)) for field in attrs.fields(type(value))}
    if isinstance(value, Mapping):
        return {str(key): _plain(each) for key, each in value.items()}
    if isinstance(value, tuple | list):
        return [_plain(each) for each in value]
    if isinstance(value, frozenset | set):
        return sorted(map(str, value))
    if isinstance(value, Decimal):
        return format(value.normalize(), "f")
    if isinstance(value, timedelta):
        return value.total_seconds()
    if isinstance(value, Path | ZoneInfo):
        return str(value)
    if isinstance(value, re.Pattern):
        return value.pattern
    return value if isinstance(value, str | int | float | bool | None) else repr(value)
