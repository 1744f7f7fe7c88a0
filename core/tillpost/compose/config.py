"""Reads the configuration file: pipelines, their slots, and the core's own limits.

`examine` returns every finding at once; `load` raises when one of them is an error.
"""

from __future__ import annotations

import os
import re
from collections.abc import Iterable, Mapping
from datetime import timedelta
from decimal import Decimal
from importlib.util import find_spec
from pathlib import Path
from typing import Any, Literal

import attrs

from tillpost.compose.alert_settings import CHANNELS, AlertSettings
from tillpost.compose.pipeline_config import PipelineConfig, SlotConfig
from tillpost.compose.plugins import REPORT_PLUGIN, load_plugin
from tillpost.compose.settings import SettingsReader
from tillpost.compose.shared_folders import shared_folders
from tillpost.compose.toml_lines import KeyPath, Lines, read_toml
from tillpost.compose.values import show, suggestion
from tillpost.errors import ConfigurationError, Finding, Interrupted, InvalidValue, fault_of, plugin_trace
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy, VerifyPolicy
from tillpost.model import DEFAULT_RECIPE, Identifier, check_recipe
from tillpost.plugin import SLOTS, must

LISTS = ("resolve", "amend", "observe")
"""The slots that take several plugins, called in the order of the file."""
REQUIRED = ("adapter", "resolve", "map", "transport")
POLICIES: Mapping[str, type[Any]] = {
    "source": SourcePolicy,
    "transport": RetryPolicy,
    "fallback": FallbackPolicy,
    "transfer": TransferPolicy,
}
"""The slots whose tables hold keys of the core, and the class that reads them."""

_TAKEN_OVER = (
    "workers", "unknown_contact", "unknown_after", "erased", "country", "countries", "keep", "guard", "guard_first",
)  # fmt: skip
"""Keys of a pipeline that its configuration has under the same name."""
_TABLES = ("tillpost", "alerts", "pipelines")
_RECIPE = f'a recipe of the id such as "{DEFAULT_RECIPE}"'
_NAME = re.compile(r"[a-z0-9][a-z0-9_-]*")


@attrs.frozen(kw_only=True)
class Config:
    """A configuration file: its path, its state folder, and the pipelines without an error."""

    file: Path
    state: Path
    pipelines: tuple[PipelineConfig, ...]
    alerts: AlertSettings = attrs.field(factory=AlertSettings)
    """The defaults without `[alerts]`, and when it has an error; without channels when plugins were not read."""
    lines: Lines = attrs.field(repr=False, eq=False)
    shown: str = attrs.field(default="", repr=False, eq=False)
    """The file as the person named it, for messages."""


_workers = must("be from 1 to 64", lambda count: 1 <= count <= 64)
_guard_first = must("be from 1 to 1000", lambda count: 1 <= count <= 1000)
_share = must("be over 0 and at most 1", lambda share: 0 < share <= 1)
_keep = must("be from 1d to 3660d", lambda length: timedelta(days=1) <= length <= timedelta(days=3660))


_unknown_after = must("be from 0s to 60d", lambda wait: timedelta(0) <= wait <= timedelta(days=60))
_COUNTRY = re.compile(r"[A-Z]{2}")


def _check_country(_: object, field: attrs.Attribute[Any], value: str) -> None:
    if not value:
        return
    if not _COUNTRY.fullmatch(value):
        raise ValueError(f'{field.name} must be a country in two capital letters (ISO 3166), such as "SE"')
    if find_spec("phonenumbers") is None:
        raise ValueError(f"{field.name} needs the library phonenumbers; install tillpost[phone]")


def _check_countries(_: object, field: attrs.Attribute[dict[str, str]], values: dict[str, str]) -> None:
    for value in values.values():
        _check_country(None, field, value or "?")


def _check_recipe(_: object, field: attrs.Attribute[str], value: str) -> None:
    try:
        check_recipe(value)
    except InvalidValue as err:
        raise ValueError(f"must be {_RECIPE} ({err.fault})") from None
    except ValueError:  # an unclosed brace
        raise ValueError(f"must be {_RECIPE}") from None


def _check_anonymous(_: object, field: attrs.Attribute[str], value: str) -> None:
    try:
        Identifier.parse(value)
    except InvalidValue:
        raise ValueError('must be kind:value with a known kind, such as "externalId:HOUSE"') from None


@attrs.frozen(kw_only=True)
class _TopKeys:
    """Keys of `[tillpost]`."""

    state: Path = Path("state")
    """Folder of the journals and fallback files, one folder a pipeline below it."""


@attrs.frozen(kw_only=True)
class _PipelineKeys:
    """Keys of a pipeline that are not slots."""

    state: Path | None = None
    """This pipeline's own state folder."""
    receipt_id: str = attrs.field(default=DEFAULT_RECIPE, validator=_check_recipe)
    """Recipe of the receipt's id, over {store}, {till}, {date} and {number}."""
    anonymous: str | None = attrs.field(default=None, validator=attrs.validators.optional(_check_anonymous))
    """Contact that gets receipts without a customer; without it they are skipped and counted."""
    workers: int | None = attrs.field(default=None, validator=attrs.validators.optional(_workers))
    """Receipts sent by API at the same time; None: as many as the rate allows at an answer time of a second."""
    unknown_contact: Literal["hold", "skip"] = "hold"
    """What happens to a receipt whose contact Engage does not know and no resolver may create."""
    unknown_after: timedelta = attrs.field(default=timedelta(days=1), validator=_unknown_after)
    """How long such a contact is looked up again, with growing waits, before that; 0s: it is not."""
    erased: Literal["create", "hold"] = "create"
    """What happens to a receipt that waits while its contact is erased: created from what the receipt carries."""
    country: str = attrs.field(default="", validator=_check_country)
    """Country of the stores (ISO 3166, two capitals): national phone numbers become international."""
    countries: dict[str, str] = attrs.field(factory=dict, validator=_check_countries)
    """Store → its country, where that is another one."""
    keep: timedelta | None = attrs.field(default=None, validator=attrs.validators.optional(_keep))
    """How long settled receipts stay in the journal; None: for ever."""
    verify: Literal["all", "sample", "off"] = "all"
    """Which receipts accepted by API are looked for in Engage's histories."""
    verify_share: Decimal = attrs.field(default=VerifyPolicy().share, validator=_share)
    """The part of the request rate that verification uses at most, of what everything else leaves."""
    guard: Literal["off", "hold"] = "off"
    """Whether receipts wait, after a change of the mapping, until a person releases it."""
    guard_first: int = attrs.field(default=20, validator=_guard_first)
    """How many receipts of a new mapping are held for review; the others wait behind them."""


def load(path: Path, *, plugins: bool = True) -> Config:
    """The configuration of this file. Raises ConfigurationError with all findings when one of them is an error.

    plugins: False leaves plugins and their settings unread, for commands that only look into the journal.
    """
    config, findings = examine(path, plugins=plugins)
    if config is None or any(finding.level == "error" for finding in findings):
        raise ConfigurationError(*findings)
    return config


def examine(path: Path, *, plugins: bool = True) -> tuple[Config | None, list[Finding]]:
    """The configuration with the pipelines that have no error, and all findings.

    None when no pipeline can be used, or when there is an error outside the pipelines.
    """
    file = Path(os.path.abspath(path))  # noqa: PTH100 - a link to the file keeps its own folder, which resolve() would leave
    try:
        document, lines = read_toml(file, str(path))
    except ConfigurationError as err:
        return None, list(err.findings)
    reader = SettingsReader(str(path), file.parent, lines)
    for name in document:
        if name not in _TABLES:
            reader.report((name,), "unknown table.", suggestion(name, _TABLES))
    top = reader.read(document.get("tillpost", {}), _TopKeys, ("tillpost",))
    tables = document.get("pipelines", {})
    if not isinstance(tables, Mapping) or not tables:
        reader.report(("pipelines",), "has no pipeline.", "Add a table such as [pipelines.stores].")
        tables = {}
    usable = not reader.findings  # with a misspelt [tillpost], a pipeline would run on another state folder
    state = top.state if top else file.parent / "state"
    read = [_pipeline(reader, name, table, state, plugins) for name, table in tables.items()]
    pipelines = [one for one in read if one is not None]
    shared: set[str] = set()
    for name, key_path, message, hint in shared_folders(pipelines):
        shared.add(name)
        reader.report(key_path, message, hint)
    valid = tuple(one for one in pipelines if one.name not in shared)
    alerts = document.get("alerts", {})
    if not plugins and isinstance(alerts, Mapping):
        alerts = {key: value for key, value in alerts.items() if key not in CHANNELS}  # they have secrets
    # An error in it stops no pipeline; a command that reads no plugins leaves it to `check` and `run`.
    of_alerts = reader if plugins else SettingsReader(str(path), file.parent, lines)
    limits = of_alerts.read(alerts, AlertSettings, ("alerts",)) or AlertSettings()
    if not usable or not valid:
        return None, reader.findings
    config = Config(file=file, state=state, pipelines=valid, alerts=limits, lines=lines, shown=str(path))
    return config, reader.findings


def _marks(beside: Path, state: Path) -> tuple[Path, ...]:
    """Beside the configuration, and above the folder of the state: its disk may be mounted there or below."""
    name = f".{state.parent.name}-{state.name}.journal"
    return tuple(dict.fromkeys((beside / name, state.parent.parent / name)))


def _pipeline(reader: SettingsReader, name: str, table: Any, state: Path, plugins: bool) -> PipelineConfig | None:
    path: KeyPath = ("pipelines", name)
    before = len(_errors(reader))
    if not _NAME.fullmatch(name):
        hint = "Use a-z, 0-9, _ and -, beginning with a letter or digit."
        reader.report(path, f"{show(name)} is not a valid name of a pipeline.", hint)
    if not isinstance(table, Mapping):
        reader.report(path, f"must be a table, and is {show(table)}.", f"Write [pipelines.{name}].")
        return None
    own = reader.read({key: table[key] for key in table if key not in SLOTS}, _PipelineKeys, path, SLOTS)
    slots: list[SlotConfig] = []
    policies: dict[str, Any] = {slot: kind() for slot, kind in POLICIES.items()}
    for slot in SLOTS:
        if slot not in table:
            if slot in REQUIRED:
                reader.report((*path, slot), "is missing.", f'Add {slot} = {{ use = "…" }} to the pipeline.')
            continue
        for use_path, use in _uses(reader, slot, table[slot], (*path, slot)):
            found = _slot(reader, slot, use, use_path, policies, plugins)
            if found is not None:
                slots.append(found)
    for one, other in (("fallback", "transfer"), ("transfer", "fallback")):
        if one in table and other not in table:
            reader.report((*path, one), f"needs {other} too.", f"Add {other} = {{ use = … }}, or remove {one}.")
    if own is None or len(_errors(reader)) > before:
        return None
    return PipelineConfig(
        name=name,
        state=own.state or state / name,
        marks=_marks(reader.folder, own.state or state / name),
        file=reader.file,
        recipe=own.receipt_id,
        anonymous=Identifier.parse(own.anonymous) if own.anonymous else None,
        **{name: getattr(own, name) for name in _TAKEN_OVER},
        verify=VerifyPolicy(receipts=own.verify, share=own.verify_share),
        slots=tuple(slots),
        source=policies["source"],
        retry=policies["transport"],
        fallback=policies["fallback"],
        transfer=policies["transfer"],
    )


def _errors(reader: SettingsReader) -> list[Finding]:
    return [finding for finding in reader.findings if finding.level == "error"]


def _uses(reader: SettingsReader, slot: str, value: Any, path: KeyPath) -> Iterable[tuple[KeyPath, Mapping[str, Any]]]:
    """The tables of a slot with their paths."""
    if isinstance(value, list) and slot in LISTS:
        if not value:
            reader.report(path, "must have at least one item, and is empty.", f'Write {slot} = [ {{ use = "…" }} ].')
        items: list[tuple[KeyPath, Any]] = [((*path, index), item) for index, item in enumerate(value)]
    else:
        items = [(path, value)]
    for item_path, item in items:
        if isinstance(item, Mapping):
            yield item_path, item
        else:
            hint = f'Write {slot} = {{ use = "…" }}.'
            reader.report(item_path, f"must be one table, and is {show(item)}.", hint)


def _slot(
    reader: SettingsReader, slot: str, table: Mapping[str, Any], path: KeyPath, policies: dict[str, Any], plugins: bool
) -> SlotConfig | None:
    """One use: the core's keys go to `policies`, the rest to the plugin's Settings; None after reporting a fault."""
    policy = POLICIES.get(slot)
    own_keys = {field.name for field in attrs.fields(policy)} if policy else set()
    if policy is not None:
        policies[slot] = reader.read({key: table[key] for key in table if key in own_keys}, policy, path)
    name = table.get("use")
    if not isinstance(name, str) or not name:
        fault = f"must be the name of a plugin, and is {show(name)}." if "use" in table else "is missing."
        reader.report((*path, "use"), fault, 'Write use = "…"; `tillpost plugins` lists the names.')
        return None
    rest = {key: value for key, value in table.items() if key != "use" and key not in own_keys}
    found = SlotConfig(slot=slot, plugin=name, table=rest, path=path)
    if not plugins:
        return found
    try:
        plugin = load_plugin(name)
    except ConfigurationError as err:
        for finding in err.findings:
            reader.report((*path, "use"), finding.message, finding.next_step, trace=finding.trace)
        return None
    if slot not in plugin.slots:
        offers = ", ".join(slot for slot in SLOTS if slot in plugin.slots) or "nothing"
        reader.report((*path, "use"), f'plugin "{name}" cannot be used as {slot}.', f"It can be used as: {offers}.")
        return None
    if taken := {"use", *own_keys} & {field.alias or field.name for field in attrs.fields(plugin.slots[slot])}:
        fault = (
            f"its settings for {slot} have {', '.join(sorted(taken))}, which the core reads itself and never passes on"
        )
        reader.report((*path, "use"), f'plugin "{name}" is faulty: {fault}.', "Give the field another name.")
        return None
    poll = getattr(plugin.slots[slot], "default_poll", None)
    if slot == "source" and "poll" not in table and isinstance(poll, timedelta) and policies[slot] is not None:
        policies[slot] = attrs.evolve(policies[slot], poll=poll)
    try:
        settings = reader.read(rest, plugin.slots[slot], path, {"use", *own_keys})
    except Interrupted:
        raise
    except BaseException as err:  # noqa: BLE001 - a settings class that cannot be read is the plugin's fault, and named
        message = f'plugin "{name}" is faulty: its settings cannot be read ({fault_of(err)}).'
        reader.report((*path, "use"), message, REPORT_PLUGIN, trace=plugin_trace(err))
        return None
    return None if settings is None else attrs.evolve(found, settings=settings)
