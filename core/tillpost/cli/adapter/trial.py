"""`tillpost adapter try NAME FILE`: what the adapter makes of the file. Writes nothing."""

from __future__ import annotations

import json
import re
import sys
from collections.abc import Callable
from decimal import Decimal
from pathlib import Path
from typing import Any

import click

from tillpost.cli.adapter.reading import Reading, differences
from tillpost.cli.output import json_option, print_table
from tillpost.cli.pipelines import select_pipeline
from tillpost.compose.config import load
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import settings_table, standalone_hooks, standalone_slots
from tillpost.errors import TillpostError, UsageError
from tillpost.flow.upkeep.mapping_guard import PLACEHOLDER_CONTACT
from tillpost.model import DEFAULT_RECIPE, Document, IdentifierRules, Receipt
from tillpost.terminal import counted, plain, say

COLUMNS = ["number", "store", "till", "till_time", "total", "currency", "lines", "tenders", "customer", "flags"]


@click.command("try")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of the adapter; may be repeated.")
@click.option("--pipeline", "-p", default=None, help="Begin with the settings of this pipeline of the configuration.")
@click.option("--body", is_flag=True, help="Show each receipt as the body that is sent.")
@click.option("--map", "mapping", default="engage", show_default=True, help="The plugin that makes the body.")
@click.option("--diff", "other", multiple=True, metavar="KEY=VALUE", help="Show what this setting would change.")
@json_option
@click.pass_obj
def command(
    config: Any,
    name: str,
    file: Path,
    pairs: tuple[str, ...],
    pipeline: str | None,
    body: bool,
    mapping: str,
    other: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what an adapter makes of a file: receipts, what is skipped, ignored or broken and why, and the sums.

    Needs no configuration and writes nothing. Exit code 1 when something is broken.

    \b
    Examples:
      tillpost adapter try poslog POSLog.xml --set timezone=Europe/Stockholm --set loyalty=externalId
      tillpost adapter try receipts day.jsonl --body
      tillpost adapter try poslog POSLog.xml --pipeline stores --diff sku=POSItemID
    """
    settings = load_plugin(name).slots.get("adapter")
    if settings is None:
        raise UsageError(f"plugin {name} is not an adapter; `tillpost plugins` lists the adapters")
    of = select_pipeline(load(config, plugins=False), pipeline) if pipeline else None
    document = Document.from_path(file)
    base = _table(of, "adapter", name)
    hooks = _adapter(name, base | settings_table(settings, pairs), of)
    if other:
        changed = _adapter(name, base | settings_table(settings, pairs + other), of)
        _show_differences(
            list(differences(hooks.parse_receipts(document), changed.parse_receipts(document))), other, as_json
        )
        return
    mapped = standalone_hooks(mapping, load_plugin(mapping), {"map": _table(of, "map", mapping)}, folder=Path.cwd())
    bodies: list[Any] = []

    def use(receipt: Receipt) -> None:
        payload = mapped.map_receipt(receipt, PLACEHOLDER_CONTACT)
        if body:
            bodies.append(payload.fields)

    recognised = _recognised(name, base | settings_table(settings, pairs), document)
    reading = Reading(IdentifierRules(country=of.country, countries=of.countries) if of else IdentifierRules())
    reading.take(hooks.parse_receipts(document), use)
    (_say_json if as_json else _show)(file, recognised, reading, bodies)
    sys.exit(1 if reading.broken or reading.refused else 0)


def _table(pipeline: PipelineConfig | None, slot: str, plugin: str) -> dict[str, Any]:
    uses = pipeline.slots if pipeline else ()
    return next((dict(use.table) for use in uses if (use.slot, use.plugin) == (slot, plugin)), {})


def _adapter(name: str, given: dict[str, Any], pipeline: PipelineConfig | None) -> Any:
    recipe = pipeline.recipe if pipeline else DEFAULT_RECIPE
    return standalone_hooks(name, load_plugin(name), {"adapter": given}, folder=Path.cwd(), recipe=recipe)


def _recognised(name: str, given: dict[str, Any], document: Document) -> str:
    plugin = load_plugin(name)
    if plugin.recognise is None:
        return ""
    [slot] = standalone_slots(name, plugin, {"adapter": given}, Path.cwd())
    try:
        return plugin.recognise(document, slot.settings)
    except TillpostError:  # the reading says why
        return ""


def _say_json(file: Path, recognised: str, reading: Reading, bodies: list[Any]) -> None:
    names = ("receipts", "skipped", "ignored", "broken", "refused")
    answer = {
        "document": file.name,
        "recognised": recognised,
        **{name: getattr(reading, name) for name in names},
        "totals": reading.totals(),
        "tenders": reading.tenders(),
    }
    if not bodies:
        say(answer)
    else:
        click.echo(_numbers({**answer, "bodies": bodies}, indent=None))


def _show(file: Path, recognised: str, reading: Reading, bodies: list[Any]) -> None:
    counts = f"{reading.skipped.total()} skipped, {reading.ignored.total()} ignored, {len(reading.broken)} broken"
    click.echo(f"{plain(file.name)}: {counted(len(reading.receipts), 'receipt')}, {counts}")
    if recognised:
        click.echo(f"  read as {plain(recognised)}")
    _section("", reading.receipts, lambda rows: print_table(rows, COLUMNS))
    for fields in bodies:
        click.echo(_numbers(fields, indent=2))
    _section("Skipped: sales that are not sent", list(reading.skipped.items()), _show_reasons)
    _section("Ignored: no sale", list(reading.ignored.items()), _show_reasons)
    _section("Broken", reading.broken, lambda rows: click.echo("\n".join(map(_held, rows))))
    if reading.refused:
        click.echo(f"\nNot read to the end: {plain(reading.refused)}")
    _section("Sums", reading.totals(), lambda rows: print_table(rows, list(rows[0])))
    _section("Tenders", reading.tenders(), lambda rows: print_table(rows, list(rows[0])))


def _section(title: str, rows: list[Any], show: Callable[[list[Any]], object]) -> None:
    if rows:
        click.echo(f"\n{title}" if title else "")
        show(rows)


def _show_reasons(rows: list[tuple[str, int]]) -> None:
    for reason, count in rows:
        click.echo(f"  {counted(count, 'record')}: {plain(reason)}")


def _held(row: dict[str, str]) -> str:
    number = f"number {row['number']}: " if row["number"] else ""
    where = "" if row["reason"].startswith(row["place"]) else f"{row['place']}: "
    return f"  {plain(number)}{plain(where)}{plain(row['reason'])}"


def _show_differences(found: list[dict[str, Any]], other: tuple[str, ...], as_json: bool) -> None:
    for each in found:
        if as_json:
            say(each)
            continue
        click.echo(f"record {each['record']}" + (f", number {plain(each['number'])}" if each["number"] else ""))
        for change in each["changes"]:
            click.echo(f"  {plain(change)}")
    if not as_json:
        verb = "differs" if len(found) == 1 else "differ"
        click.echo(f"{counted(len(found), 'record')} {verb} with {', '.join(other)}")


_MARK = "\ue000"  # of the private use area: around a decimal, until the JSON is text


def _numbers(value: Any, indent: int | None) -> str:
    """JSON with decimals as numbers of as many digits as they have, which `json` has no way to write."""

    def plain_value(each: Any) -> Any:
        return f"{_MARK}{each}{_MARK}" if isinstance(each, Decimal) else dict(each)

    text = json.dumps(value, ensure_ascii=False, default=plain_value, indent=indent)
    return re.sub(f'"{_MARK}(-?[0-9.E+-]+){_MARK}"', r"\1", text)
