"""`tillpost adapter sample NAME FILE --pseudonyms`: a real export made into a sample without anyone in it."""

from __future__ import annotations

import sys
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.adapter.given import adapter_hooks, document_of, table_of
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import select_pipeline
from tillpost.compose.config import load
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import settings_table, standalone_slots
from tillpost.errors import UsageError
from tillpost.model import Document
from tillpost.support.sample import Form, Made, first_year, make, people, signature
from tillpost.terminal import counted, plain, say

_SHOWN = 8
"""Values of one place that are shown."""


@click.command("sample")
@click.argument("name")
@click.argument("file", type=click.Path(exists=True, path_type=Path))
@click.option("--pseudonyms", is_flag=True, help="Replace what may name anybody. Needed: no sample is made without.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="The file to write.")
@click.option("--keep", "asked", multiple=True, metavar="KEY", help="A column, element or key whose values stay.")
@click.option("--set", "pairs", multiple=True, metavar="KEY=VALUE", help="A setting of the adapter; may be repeated.")
@click.option("--pipeline", "-p", default=None, help="Begin with the settings of this pipeline of the configuration.")
@json_option
@click.pass_obj
def command(
    config: Any,
    name: str,
    file: Path,
    pseudonyms: bool,
    out: Path | None,
    asked: tuple[str, ...],
    pairs: tuple[str, ...],
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Make a sample of a real export: structure and sums stay, and everything that may name anybody is replaced.

    The adapter reads both, and the sample is written only when it reads the same figures in both and no value of a
    customer is left. Words it needs stay, and are listed: look at them before you hand the sample on. Exit code 1 when
    no sample was written.

    \b
    Examples:
      tillpost adapter sample poslog POSLog.xml --pseudonyms --set timezone=Europe/Stockholm --set loyalty=externalId
      tillpost adapter sample table day.csv --pseudonyms --pipeline stores --out sample.csv
    """
    if not pseudonyms:
        raise UsageError("a real export has its customers in it: say --pseudonyms, which replaces them")
    plugin = load_plugin(name)
    if "adapter" not in plugin.slots:
        raise UsageError(f"plugin {name} is not an adapter; `tillpost plugins` lists the adapters")
    document = document_of(file)
    target = out or Path(f"sample-{document.name}")
    if target.exists():
        raise UsageError(f"{target} exists; name another file with --out")
    of = select_pipeline(load(config, plugins=False), pipeline) if pipeline else None
    given = table_of(of, "adapter", name) | settings_table(plugin.slots["adapter"], pairs)
    hooks = adapter_hooks(name, given, of)
    [slot] = standalone_slots(name, plugin, {"adapter": given}, Path.cwd())

    def read(content: bytes) -> tuple[object, ...]:
        return signature(hooks.parse_receipts(Document.from_bytes(document.name, content)))

    with document.open() as opened:
        content = opened.read()
    if "refused" in read(content)[:1]:
        raise UsageError(f"{name} cannot read {document.name}; `tillpost adapter try` says why")
    known = people(hooks.parse_receipts(document))
    first = first_year(hooks.parse_receipts(document))
    made = make(content, read, known, _words(slot.settings), _form(slot.settings), asked, first)
    is_good = not made.differs and not made.people_left
    if is_good:
        target.write_bytes(made.content)
    _tell(made, document.name, target if is_good else None, read(content), as_json)
    sys.exit(0 if is_good else 1)


def _words(settings: Any) -> set[str]:
    """The texts in an adapter's settings, defaults and keys of tables too."""
    return {
        word for each in _texts(attrs.asdict(settings, recurse=False).values()) for word in (each, each.strip())
    } - {""}


def _texts(values: Any) -> Iterator[str]:
    for value in values:
        if isinstance(value, str):
            yield value
        elif isinstance(value, Mapping):
            yield from _texts(value.keys())
            yield from _texts(value.values())
        elif isinstance(value, tuple | list | frozenset | set):
            yield from _texts(value)


def _form(settings: Any) -> Form:
    """What settings under the names of the adapter `table` say of the form."""
    found = {name: getattr(settings, name, None) for name in ("encoding", "delimiter", "quote")}
    return Form(
        **{name: value for name, value in found.items() if isinstance(value, str) and (value or name == "quote")}
    )


def _tell(made: Made, document: str, target: Path | None, read: tuple[object, ...], as_json: bool) -> None:
    records, broken = len(read), read.count("broken")
    if as_json:
        told = {key: value for key, value in attrs.asdict(made).items() if key != "content"}
        say(
            {"document": document, "sample": str(target) if target else None, "records": records, "broken": broken}
            | told
        )
        return
    if target is not None:
        values = counted(made.replaced, "value")
        click.echo(f"{plain(target)}: {counted(records, 'record')} as in {plain(document)}, {values} replaced")
        if broken:
            click.echo(f"  {broken} of them cannot be read, as in the export: nothing proves their figures")
    else:
        click.echo(f"No sample was written of {plain(document)}:")
    for what in made.differs[:_SHOWN]:
        click.echo(f"  the adapter reads it otherwise: {plain(what)}; name with --keep the columns or keys it needs")
    for place in made.people_left[:_SHOWN]:
        click.echo(f"  a customer's value is left at {plain(place)}; do not --keep it")
    for name in made.omitted:
        click.echo(f"  omitted, no table: {plain(name)}")
    if made.kept and target is not None:
        click.echo("\nKept as they are, because the adapter or its settings need them. Is anybody in them?")
    for place, kept in made.kept.items() if target is not None else ():
        more = f" and {len(kept) - _SHOWN} more" if len(kept) > _SHOWN else ""
        click.echo(f"  {plain(place)}: {plain(', '.join(kept[:_SHOWN]))}{more}")
