"""`tillpost diff`: what today's configuration would change of recent receipts."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from tillpost.cli.opened import as_json, one, table, which
from tillpost.compose.config import Config, load
from tillpost.compose.mapping import fingerprint, hooks_of, rebuilt
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.journal import Journal
from tillpost.model import Customer
from tillpost.reports.mapping_difference import MappingDifference, Way, difference
from tillpost.terminal import plain, say


@click.command("diff")
@click.option("--last", default=500, show_default=True, type=click.IntRange(1), help="How many receipts.")
@click.option(
    "--against",
    type=click.Path(dir_okay=False, path_type=Path),
    help="The configuration to compare with; without it the mapping the journal worked with before.",
)
@click.option("--unmasked", is_flag=True, help="Show texts as they are, which may be personal data.")
@which
@as_json
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
    today = one(config, pipeline)
    journal = Journal(today.state)
    try:
        after = _way(config, today)
        before, said, since = _before(journal, config, today, after, against)
        found = difference(journal, before, after, last, unmasked=unmasked, stored_before=since)
    finally:
        journal.close()
    if as_json:
        say({"before": said, **found.as_json()})
    else:
        _print(said, found)
    sys.exit(1 if found.changed else 0)


def _way(config: Config, pipeline: PipelineConfig) -> Way:
    hooks = hooks_of(config, pipeline)
    return Way(reads=hooks, maps=hooks, anonymous=_anonymous(pipeline))


def _anonymous(pipeline: PipelineConfig) -> Customer | None:
    return Customer(identifiers=(pipeline.anonymous,)) if pipeline.anonymous else None


def _before(
    journal: Journal, config: Config, today: PipelineConfig, after: Way, against: Path | None
) -> tuple[Way, str, float | None]:
    """The other way, what it is in words, and since when the journal has receipts read with today's."""
    if against is not None:
        other = load(against)
        names = [each.name for each in other.pipelines]
        return _way(other, one(other, today.name if today.name in names else None)), f"{against}", None
    mine = fingerprint(today)
    known = journal.mappings.all()
    released = [each for each in known if each.fingerprint != mine and each.released_at is not None]
    since = next((each.since for each in known if each.fingerprint == mine), None)
    stored = Way(reads=None, maps=after.maps, anonymous=after.anonymous)
    if not released:
        return stored, "the receipts as the journal has them, for it knows no mapping before today's", None
    old = released[-1]
    made = rebuilt(config, today, old.what)
    if isinstance(made, str):
        said = (
            f"mapping {old.fingerprint} cannot be built again ({made}): the receipts as it read them, mapped by today's"
        )
        return stored, said, since
    return _way(config, made), f"mapping {old.fingerprint}, as the journal remembers it", None


def _print(said: str, found: MappingDifference) -> None:
    click.echo(plain(f"before: {said}"))
    click.echo(f"{found.changed} of {found.compared} receipts would change")
    for reason, count in found.left_out.items():
        click.echo(f"  {count} not compared: {plain(reason)}")
    if found.fields:
        rows = (
            {
                "field": each.field,
                "receipts": each.receipts,
                **{name: getattr(shown, name) for name in _SHOWN},
                "example": shown.receipt,
            }
            for each in found.fields
            for shown in each.examples
        )
        table(rows, ["field", "receipts", *_SHOWN, "example"])


_SHOWN = ("before", "after")
