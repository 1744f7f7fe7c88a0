"""`tillpost adapter preset NAME [PRESET]`: the settings that an adapter has ready for known exports."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.adapter.given import for_the_command_line
from tillpost.cli.output import json_option, print_table
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import settings_table, standalone_slots
from tillpost.compose.values import suggestion
from tillpost.errors import UsageError
from tillpost.kit.settings import toml_key, toml_text
from tillpost.plugin import Plugin
from tillpost.terminal import plain, say


@click.command("preset")
@click.argument("name")
@click.argument("preset", required=False)
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting laid over it; may be repeated.")
@click.option("--pipeline", "-p", default="shop", show_default=True, help="The pipeline to write it for.")
@json_option
def command(name: str, preset: str | None, pairs: tuple[str, ...], pipeline: str, as_json: bool) -> None:
    """List an adapter's presets, or print one as a table of the configuration that can be pasted and changed.

    Its comments say what must be set beside it. With --set the settings are read as in a pipeline, and those that are
    not the adapter's defaults are printed.

    \b
    Examples:
      tillpost adapter preset table
      tillpost adapter preset table loyverse --pipeline stores
      tillpost adapter preset table loyverse --set timezone=Europe/Oslo --set constants.currency=NOK --set tax="on top"
    """
    plugin = load_plugin(name)
    known = plugin.presets() if plugin.presets is not None else {}
    if not known:
        raise UsageError(f"{name} has no presets; `tillpost adapter preset table` lists those of the adapter `table`")
    if preset is None:
        if pairs:
            raise UsageError("--set is laid over one preset; name it behind the adapter")
        rows = [{"preset": each, "of": _comments(text)[0]} for each, text in known.items()]
        say({"presets": rows}) if as_json else print_table(rows, ["preset", "of"])
        return
    if preset not in known:
        raise UsageError(f"{name} has no preset {plain(preset)}. {suggestion(preset, known)}")
    comments = _comments(known[preset])
    settings = _laid_over(name, plugin, preset, pairs) if pairs else tomllib.loads(known[preset], parse_float=Decimal)
    lines = [f"# {comment}" for comment in comments]
    lines += [f"[pipelines.{toml_key(pipeline)}.adapter]", f"use = {toml_text(name)}"]
    lines += [f"{toml_key(key)} = {toml_text(value)}" for key, value in settings.items()]
    text = "\n".join(lines)
    say({"preset": preset, "adapter": name, "settings": dict(settings), "toml": text}) if as_json else click.echo(text)


def _comments(text: str) -> list[str]:
    """The lines of comments that a preset begins with."""
    comments = []
    for line in text.splitlines():
        if not line.startswith("#"):
            break
        comments.append(line.lstrip("# "))
    return comments or [""]


def _laid_over(name: str, plugin: Plugin, preset: str, pairs: tuple[str, ...]) -> Mapping[str, Any]:
    """The preset with the settings given over it, without those that have the adapter's default."""
    given = {"preset": preset} | settings_table(plugin.slots["adapter"], pairs)
    with for_the_command_line():
        [slot] = standalone_slots(name, plugin, {"adapter": given}, Path.cwd())
    return dict(_changed(slot.settings))


def _changed(settings: Any) -> Iterator[tuple[str, Any]]:
    for field in attrs.fields(type(settings)):
        value, default = getattr(settings, field.name), field.default
        if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
            default = default.factory()
        if value != default:
            yield field.alias or field.name, value
