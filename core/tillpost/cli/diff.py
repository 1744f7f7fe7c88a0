"""`tillpost diff`: what the current configuration would change in recent receipts."""

from __future__ import annotations

import sys
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.output import json_option, print_table
from tillpost.cli.pipelines import pipeline_option, select_pipeline
from tillpost.compose.config import Config, load
from tillpost.compose.journals import existing_journal
from tillpost.compose.mapping import fingerprint, mapping_hooks, rebuild_mapping
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.journal import Journal
from tillpost.model import Customer
from tillpost.reports.mapping_difference import Mapper, MappingDifference, difference
from tillpost.terminal import counted, plain, say


@click.command("diff")
@click.option("--last", default=500, show_default=True, type=click.IntRange(1), help="How many receipts.")
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration to compare with; without it the mapping the journal worked with before.",
)
@click.option("--unmasked", is_flag=True, help="Show texts as they are, which may be personal data.")
@pipeline_option
@json_option
@click.pass_obj
def command(file: Any, last: int, against: Path | None, unmasked: bool, pipeline: str | None, as_json: bool) -> None:
    """Map the last receipts both ways, and show what would change field by field; exit code 1 when something would.

    Nothing is sent or written. Texts are masked to their shape.

    \b
    Examples:
      tillpost diff --last 500
      tillpost diff --against before.toml --json
    """
    config = load(file)
    today = select_pipeline(config, pipeline)
    with closing(existing_journal(today)) as journal:
        after = _mapper(config, today)
        before, description, since = _before(journal, config, today, after, against)
        found = difference(journal, before, after, last, unmasked=unmasked, stored_before=since)
    if as_json:
        say({"before": description, **attrs.asdict(found)})
    else:
        _print(description, found)
    sys.exit(1 if found.changed else 0)


def _mapper(config: Config, pipeline: PipelineConfig) -> Mapper:
    hooks = mapping_hooks(config, pipeline)
    anonymous = Customer(identifiers=(pipeline.anonymous,)) if pipeline.anonymous else None
    return Mapper(reader=hooks, mapper=hooks, anonymous=anonymous)


def _before(
    journal: Journal, config: Config, today: PipelineConfig, after: Mapper, against: Path | None
) -> tuple[Mapper, str, float | None]:
    """The mapping to compare with, its description, and since when the journal has receipts read with today's."""
    if against is not None:
        other = load(against)
        names = [each.name for each in other.pipelines]
        return _mapper(other, select_pipeline(other, today.name if today.name in names else None)), f"{against}", None
    current = fingerprint(today)
    known = journal.mappings.all()
    released = [each for each in known if each.fingerprint != current and each.released_at is not None]
    since = next((each.since for each in known if each.fingerprint == current), None)
    stored = Mapper(reader=None, mapper=after.mapper, anonymous=after.anonymous)
    if not released:
        return stored, "the receipts as the journal has them, since it knows no earlier mapping", None
    old = released[-1]
    rebuilt = rebuild_mapping(config, today, old.what)
    if isinstance(rebuilt, str):
        description = f"mapping {old.fingerprint} cannot be built again ({rebuilt})"
        description += ": the receipts as it read them, with today's mapping"
        return stored, description, since
    return _mapper(config, rebuilt), f"mapping {old.fingerprint}, as the journal remembers it", None


def _print(description: str, found: MappingDifference) -> None:
    click.echo(plain(f"before: {description}"))
    click.echo(f"{found.changed} of {counted(found.compared, 'receipt')} would change")
    for reason, count in found.not_compared.items():
        click.echo(f"  {count} not compared: {plain(reason)}")
    if found.fields:
        rows = (
            attrs.asdict(each) | attrs.asdict(shown) | {"receipts": each.receipts, "example": shown.receipt}
            for each in found.fields
            for shown in each.examples
        )
        print_table(rows, ["field", "receipts", "before", "after", "example"])
