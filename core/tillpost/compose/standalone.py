"""One plugin without a configuration file: its settings are read and its hooks called as in a pipeline.

For trying and testing a plugin. Nothing is written, and no request rate is kept.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Callable, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import attrs

from tillpost.clock import Clock, SystemClock
from tillpost.compose.config import Config
from tillpost.compose.pipeline import build_plugin, register_hooks, unlimited
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.settings import SettingsReader
from tillpost.compose.toml_lines import Lines
from tillpost.compose.values import show
from tillpost.errors import ConfigurationError, Finding, UsageError
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import DEFAULT_RECIPE
from tillpost.plugin import SLOTS, Context, Plugin, Use


def standalone_hooks(
    name: str,
    plugin: Plugin,
    uses: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path,
    recipe: str = DEFAULT_RECIPE,
    clock: Clock | None = None,
    cursor: Callable[[], str | None] | None = None,
) -> HookCalls:
    """The hooks of one plugin in these slots.

    uses: slot → its table, with the values TOML gives. folder: the base of relative paths. cursor: what
    `Context.cursor` returns.
    Raises ConfigurationError with every finding; their keys begin with the slot.
    """
    clock = clock or SystemClock()
    slots = standalone_slots(name, plugin, uses, folder)
    pipeline = PipelineConfig(name=name, state=folder, recipe=recipe, slots=slots)
    context = Context(
        pipeline=name,
        folder=folder,
        state=folder,
        clock=clock,
        random=random.Random(1),  # noqa: S311 - jitter
        budget=unlimited,
        recipe=recipe,
        read_cursor=[] if cursor is None else [cursor],
    )
    objects = build_plugin(name, plugin, [Use(slot.slot, slot.settings) for slot in slots], context)
    config = Config(file=folder / "tillpost.toml", state=folder, pipelines=(pipeline,), lines=Lines({}))
    return HookCalls(register_hooks(config, pipeline, list(zip(slots, objects, strict=True)), {name: plugin.slots}))


def standalone_slots(
    name: str, plugin: Plugin, uses: Mapping[str, Mapping[str, Any]], folder: Path
) -> tuple[SlotConfig, ...]:
    """The slots with the settings read. Raises ConfigurationError as `standalone_hooks` does."""
    reader = SettingsReader("", folder, Lines({}))
    slots = []
    for slot, table in uses.items():
        if slot not in plugin.slots:
            offers = ", ".join(each for each in SLOTS if each in plugin.slots)
            raise ConfigurationError(Finding(message=f'plugin "{name}" cannot be used as {slot}, only as: {offers}.'))
        settings = reader.read(table, plugin.slots[slot], (slot,))
        slots.append(SlotConfig(slot=slot, plugin=name, table=table, path=(slot,), settings=settings))
    if any(finding.level == "error" for finding in reader.findings):
        raise ConfigurationError(*reader.findings)
    return tuple(slots)


def settings_table(settings: type, pairs: tuple[str, ...]) -> dict[str, Any]:
    """Arguments such as `key=value` as a table of the configuration.

    A value is read as TOML; if it is not TOML, or the setting is text, it is text, so that `store=0042` needs no
    quotes. `a.b=1` sets the key b of the table a. Raises UsageError for an argument without `=`.
    """
    kinds = get_type_hints(settings)
    text = {field.alias or field.name for field in attrs.fields(settings) if kinds[field.name] in (str, str | None)}
    table: dict[str, Any] = {}
    for pair in pairs:
        key, equals, value = pair.partition("=")
        if not equals or not key.strip():
            raise UsageError(f"a setting must be key=value, and is {show(pair)}")
        *outer, last = key.strip().split(".")
        inside = table
        for name in outer:
            inside = inside.setdefault(name, {})
            if not isinstance(inside, dict):
                raise UsageError(f"{name} has a value and cannot have the key {show(key.strip())} too")
        inside[last] = value if last in text and value[:1] not in "\"'" else _value(value)
    return table


def _value(text: str) -> Any:
    try:
        return tomllib.loads(f"value = {text}", parse_float=Decimal)["value"]
    except tomllib.TOMLDecodeError:
        return text
