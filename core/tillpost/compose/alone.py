"""A plugin on its own: its settings read as a configuration would, its hooks asked as a pipeline would.

For who tries or tests one plugin without a configuration file. Nothing is written, and no rate is kept.
"""

from __future__ import annotations

import random
import tomllib
from collections.abc import Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any, get_type_hints

import attrs

from tillpost.clock import Clock, SystemClock
from tillpost.compose.config import Config
from tillpost.compose.pipeline import build, register, unlimited
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.settings import Reader
from tillpost.compose.toml_lines import Lines
from tillpost.compose.values import show
from tillpost.errors import ConfigurationError, Finding, UsageError
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.model import DEFAULT_RECIPE
from tillpost.plugin import SLOTS, Context, Plugin, Use


def alone(
    name: str,
    plugin: Plugin,
    uses: Mapping[str, Mapping[str, Any]],
    *,
    folder: Path,
    recipe: str = DEFAULT_RECIPE,
    clock: Clock | None = None,
) -> HookCalls:
    """The hooks of one plugin in these slots.

    uses: slot → its table, with the values TOML gives. folder: what relative paths are resolved against.
    Raises ConfigurationError with every finding; their keys begin with the slot.
    """
    clock = clock or SystemClock()
    reader = Reader("", folder, Lines({}))
    slots = []
    for slot, table in uses.items():
        if slot not in plugin.slots:
            offers = ", ".join(each for each in SLOTS if each in plugin.slots)
            raise ConfigurationError(Finding(message=f'plugin "{name}" cannot be used as {slot}, only as: {offers}.'))
        settings = reader.read(table, plugin.slots[slot], (slot,))
        slots.append(SlotConfig(slot=slot, plugin=name, table=table, path=(slot,), settings=settings))
    if any(finding.level == "error" for finding in reader.findings):
        raise ConfigurationError(*reader.findings)
    pipeline = PipelineConfig(
        name=name,
        state=folder,
        recipe=recipe,
        slots=tuple(slots),
        source=SourcePolicy(),
        retry=RetryPolicy(),
        fallback=FallbackPolicy(),
        transfer=TransferPolicy(),
    )
    context = Context(
        pipeline=name,
        folder=folder,
        state=folder,
        clock=clock,
        random=random.Random(1),  # noqa: S311 - jitter
        budget=unlimited,
        recipe=recipe,
    )
    objects = build(name, plugin, [Use(slot.slot, slot.settings) for slot in slots], context)
    config = Config(file=folder / "tillpost.toml", state=folder, pipelines=(pipeline,), lines=Lines({}))
    return HookCalls(register(config, pipeline, list(zip(slots, objects, strict=True))), frozenset(uses))


def table_of(settings: type, pairs: tuple[str, ...]) -> dict[str, Any]:
    """`key=value` words as the table a configuration would have.

    A value is TOML; what is none is taken for text, and so is everything for a key that is text, so that
    `store=0042` needs no quotes. A key with a dot sets a key of a table in it. Raises UsageError for a word
    without `=`.
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
