"""`tillpost adapter try NAME FILE`: what the adapter makes of files. Writes nothing."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.adapter.given import adapter_hooks, document_of, table_of
from tillpost.cli.adapter.judgement import Judgement
from tillpost.cli.adapter.reading import DocumentRead, Reading, differences
from tillpost.cli.adapter.shown import as_numbers, show_reading
from tillpost.cli.debug import debugging
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import select_pipeline
from tillpost.compose.config import load
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import settings_table, standalone_hooks, standalone_slots
from tillpost.errors import Interrupted, TillpostError, UsageError, fault_of, plugin_trace
from tillpost.flow.upkeep.mapping_guard import PLACEHOLDER_CONTACT
from tillpost.model import Document, IdentifierRules, Receipt
from tillpost.plugin import Plugin
from tillpost.terminal import counted, plain, ranked, say


@click.command("try")
@click.argument("name")
@click.argument("files", metavar="FILE...", nargs=-1, required=True, type=click.Path(exists=True, path_type=Path))
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
    files: tuple[Path, ...],
    pairs: tuple[str, ...],
    pipeline: str | None,
    body: bool,
    mapping: str,
    other: tuple[str, ...],
    as_json: bool,
) -> None:
    """Show what an adapter makes of files: receipts, what is skipped, ignored or broken and why, flags, and the sums.

    Needs no configuration and writes nothing. Customers' keys are masked. Exit code 1 when something is broken, or a
    person should look: times of another zone, one key for all customers, words and identifiers nobody takes.
    A folder is tried as one zip of its files, for an export of many.

    \b
    Examples:
      tillpost adapter try poslog POSLog.xml --set timezone=Europe/Stockholm --set loyalty=externalId
      tillpost adapter try poslog day-1.xml day-2.xml --pipeline stores
      tillpost adapter try dsfinvk . --set store=Mitte
      tillpost adapter try receipts day.jsonl --body
      tillpost adapter try poslog POSLog.xml --pipeline stores --diff sku=POSItemID
    """
    plugin = load_plugin(name)
    settings = plugin.slots.get("adapter")
    if settings is None:
        raise UsageError(f"plugin {name} is not an adapter; `tillpost plugins` lists the adapters")
    of = select_pipeline(load(config, plugins=False), pipeline) if pipeline else None
    base = table_of(of, "adapter", name)
    given = base | settings_table(settings, pairs)
    hooks = adapter_hooks(name, given, of)
    documents = [document_of(file) for file in files]
    if other:
        changed = adapter_hooks(name, base | settings_table(settings, pairs + other), of)
        found = [
            {"document": document.name} | each
            for document in documents
            for each in differences(hooks.parse_receipts(document), changed.parse_receipts(document))
        ]
        say({"differences": found}) if as_json else _show_differences(found, other, len(files))
        return
    mapped = standalone_hooks(mapping, load_plugin(mapping), {"map": table_of(of, "map", mapping)}, folder=Path.cwd())
    bodies: list[Any] = []

    def use(receipt: Receipt) -> None:
        payload = mapped.map_receipt(receipt, PLACEHOLDER_CONTACT)
        if body:
            bodies.append(payload.fields)

    [slot] = standalone_slots(name, plugin, {"adapter": given}, Path.cwd())
    rules = IdentifierRules(country=of.country, countries=of.countries) if of else IdentifierRules()
    reading = Reading(Judgement.of_settings(slot.settings, rules))
    for document in documents:
        reading.take(_begun(plugin, document, slot.settings), hooks.parse_receipts(document), use)
        reading.take_again(hooks.parse_receipts(document))
    (_say_json if as_json else show_reading)(reading, bodies)
    sys.exit(0 if reading.is_clean() else 1)


def _begun(plugin: Plugin, document: Document, settings: Any) -> DocumentRead:
    """What the plugin takes the document for, before a record of it is read."""
    read = DocumentRead(document.name)
    try:
        phrase = plugin.recognise(document, settings) if plugin.recognise is not None else ""
    except Interrupted:
        raise
    except (TillpostError, OSError):
        return read  # the reading says why
    except BaseException as error:  # noqa: BLE001 - whatever it raises, the document is read
        read.fault, read.trace = f"recognise raised {fault_of(error)}", list(plugin_trace(error, debugging()))
        return read
    if isinstance(phrase, str):
        read.recognised = phrase
    else:
        read.fault = f"recognise gave {type(phrase).__name__}, and not a phrase of text"
    return read


def _say_json(reading: Reading, bodies: list[Any]) -> None:
    answer = {
        "documents": [attrs.asdict(each) for each in reading.documents],
        **{name: getattr(reading, name) for name in ("receipts", "skipped", "ignored", "broken")},
        "flags": dict(ranked(reading.judgement.flags)),
        "totals": reading.totals(),
        "total": reading.total(),
        "tenders": reading.tenders(),
        "look_at": reading.look_at(),
    }
    if not bodies:
        say(answer)
    else:
        click.echo(as_numbers({**answer, "bodies": bodies}, indent=None))


def _show_differences(found: list[dict[str, Any]], other: tuple[str, ...], files: int) -> None:
    for each in found:
        where = f"{plain(each['document'])}: " if files > 1 else ""
        click.echo(f"{where}record {each['record']}" + (f", number {plain(each['number'])}" if each["number"] else ""))
        for change in each["changes"]:
            click.echo(f"  {plain(change)}")
    verb = "differs" if len(found) == 1 else "differ"
    click.echo(f"{counted(len(found), 'record')} {verb} with {', '.join(other)}")
