"""What a support bundle says of the configuration: keys and enumerations as they are, other texts as pseudonyms."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from datetime import timedelta
from decimal import Decimal
from types import NoneType, UnionType
from typing import Any, Literal, get_args, get_origin, get_type_hints
from zoneinfo import ZoneInfo

import attrs

from tillpost.compose.mapping import HIDDEN, SLOTS, from_json, without_secrets
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.plugin import Secret
from tillpost.support.pseudonyms import Pseudonyms

_TABLES = (dict, Mapping)
_FORMATS = (bool, int, float, Decimal, timedelta, ZoneInfo)
"""Types of values with a form of their own, or from a public list: they name nobody."""


def learn(names: Pseudonyms, pipeline: PipelineConfig) -> None:
    """The anonymous contact, secrets, and the texts somebody chose for users, hosts, folders and the like."""

    def note(text: str) -> str:
        names.learn([text])
        return text

    if pipeline.anonymous is not None:
        note(pipeline.anonymous.value)
    for use in pipeline.slots:
        names.learn(secret.reveal() for secret in _secrets(use.settings))
        if use.slot not in SLOTS:
            _replaced(use.table, type(use.settings), note)


def describe(names: Pseudonyms, pipeline: PipelineConfig) -> dict[str, Any]:
    """A pipeline with its slots; durations in seconds."""
    own = ("workers", "unknown_contact", "keep", "guard", "guard_first")
    limits = {name: attrs.asdict(getattr(pipeline, name)) for name in ("source", "retry", "fallback", "transfer")}
    return {
        "receipt_id": pipeline.recipe,
        "anonymous": names.of(pipeline.anonymous.value) if pipeline.anonymous else None,
        **{name: _jsonable(getattr(pipeline, name)) for name in own},
        **{name: {key: _jsonable(value) for key, value in each.items()} for name, each in limits.items()},
        "slots": [{"slot": use.slot, "use": use.plugin, "table": _table(names, use)} for use in pipeline.slots],
    }


def mapping_table(names: Pseudonyms, value: Any) -> Any:
    """What an adapter, `map` or `amend` reads by (columns, codes) is kept unless it is known to name something."""
    value = from_json(value)
    if isinstance(value, Mapping):
        return {names.kept(str(key)): mapping_table(names, each) for key, each in value.items()}
    if isinstance(value, list):
        return [mapping_table(names, each) for each in value]
    return names.kept(value) if isinstance(value, str) else _jsonable(value)


def _table(names: Pseudonyms, use: SlotConfig) -> Any:
    table = without_secrets(use.table, use.settings)
    if use.slot in SLOTS and use.settings is not None:  # of settings nobody could read it is not known what is secret
        return mapping_table(names, table)
    return _replaced(table, type(use.settings), names.of)


def _replaced(value: Any, kind: Any, replace: Callable[[str], str]) -> Any:
    """A value of this declared type; texts that were free to choose are replaced, whatever words they are."""
    if isinstance(value, Mapping):
        fields = {key: _field(kind, key) for key in value}
        return {
            key if fields[key] else replace(key): _replaced(each, fields[key] or _item(kind), replace)
            for key, each in value.items()
        }
    if isinstance(value, list):
        return [_replaced(each, _item(kind), replace) for each in value]
    return replace(value) if isinstance(value, str) and value != HIDDEN and _is_free(kind) else _jsonable(value)


def _field(kind: Any, key: str) -> Any:
    """The declared type of this key; None when the key itself was free to choose."""
    for option in _options(kind):
        if option is Secret and key in ("env", "file"):
            return str
        if attrs.has(option):
            names = {name: field.name for field in attrs.fields(option) for name in (field.name, field.alias)}
            return get_type_hints(option)[names[key]] if key in names else None
    return None


def _item(kind: Any) -> Any:
    """The declared type of the values of a list or table; None when it is not one type."""
    kinds = {each for option in _options(kind) for each in get_args(option)[get_origin(option) in _TABLES :]}
    kinds.discard(...)
    return kinds.pop() if len(kinds) == 1 else None


def _is_free(kind: Any) -> bool:
    return any(option not in _FORMATS and get_origin(option) is not Literal for option in _options(kind))


def _options(kind: Any) -> tuple[Any, ...]:
    return tuple(each for each in get_args(kind) if each is not NoneType) if isinstance(kind, UnionType) else (kind,)


def _jsonable(value: Any) -> Any:
    if isinstance(value, timedelta):
        return value.total_seconds()
    return value if isinstance(value, str | int | float | bool | None) else str(value)


def _secrets(settings: Any) -> Iterator[Secret]:
    if isinstance(settings, Secret):
        yield settings
    elif attrs.has(type(settings)):
        for field in attrs.fields(type(settings)):
            yield from _secrets(getattr(settings, field.name))
    elif isinstance(settings, Mapping | tuple | list):
        for each in settings.values() if isinstance(settings, Mapping) else settings:
            yield from _secrets(each)
