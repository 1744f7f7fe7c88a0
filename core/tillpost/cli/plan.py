"""`tillpost plan`: what an outage takes."""

from __future__ import annotations

from contextlib import closing
from datetime import timedelta
from pathlib import Path
from typing import Any

import attrs
import click

from tillpost.cli.drill import Duration
from tillpost.cli.output import json_option
from tillpost.cli.pipelines import pipeline_option, select_pipeline
from tillpost.compose.config import load
from tillpost.compose.journals import existing_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.reports.plan import RATE, Load, Plan, Weights, plan, size, span, weigh
from tillpost.terminal import counted, say


@click.command("plan")
@click.option("--stores", type=click.IntRange(1), required=True, help="How many stores.")
@click.option(
    "--receipts-per-hour", type=click.FloatRange(0, min_open=True), required=True, help="Of one store, when it is busy."
)
@click.option("--outage", type=Duration(), default="72h", show_default=True, help="How long the API is away.")
@click.option(
    "--rate", type=click.FloatRange(0, min_open=True), help="Requests a second; else that of the pipeline, else 50."
)
@pipeline_option
@json_option
@click.pass_obj
def command(
    file: Path,
    stores: int,
    receipts_per_hour: float,
    outage: timedelta,
    rate: float | None,
    pipeline: str | None,
    as_json: bool,
) -> None:
    """Show the disk, the files and the catch-up time of an outage, with the assumptions.

    Sizes are measured on the pipeline's journal where it has 1,000 receipts; without a configuration file they are
    defaults.

    \b
    Examples:
      tillpost plan --stores 40 --receipts-per-hour 120 --outage 72h
      tillpost plan --stores 40 --receipts-per-hour 120 --rate 30 --json
    """
    chosen = select_pipeline(load(file, plugins=False), pipeline) if pipeline is not None or file.exists() else None
    asked = Load(
        stores=stores, receipts_per_hour=receipts_per_hour, outage=outage, rate=rate or _rate(chosen), **_limits(chosen)
    )
    weights, free = _at_hand(chosen)
    answer = plan(asked, weights, free)
    if as_json:
        say(attrs.asdict(answer) | {"weights": attrs.asdict(weights), "free": free})
    else:
        _print(answer, asked)


def _rate(chosen: PipelineConfig | None) -> float:
    for use in chosen.slots if chosen else ():
        rate = use.table.get("rate") if use.slot == "transport" else None
        if isinstance(rate, int | float) and rate > 0:
            return float(rate)
    return RATE


def _limits(chosen: PipelineConfig | None) -> dict[str, Any]:
    if chosen is None:
        return {}
    return {"after": chosen.fallback.after, "every": chosen.fallback.every, "files": chosen.has("fallback")}


def _at_hand(chosen: PipelineConfig | None) -> tuple[Weights, int | None]:
    """Sizes and free bytes of an existing journal; none is created."""
    if chosen is None or not (chosen.state / "journal.db").exists():
        return Weights(), None
    with closing(existing_journal(chosen)) as journal:
        return weigh(journal), journal.room()[0]


def _print(answer: Plan, asked: Load) -> None:
    receipt_files, contact_files = (counted(n, "file") for n in (answer.receipt_files, answer.contact_files))
    rows = [
        ("receipts of the outage", f"{answer.receipts:,} ({answer.live_per_second:g} a second)"),
        ("journal", size(answer.journal_bytes)),
        ("files", f"{size(answer.fallback_bytes)} in {receipt_files} of receipts and {contact_files} of contacts"),
        ("disk to keep free", size(answer.disk)),
        ("caught up by API", f"{_span(answer.catch_up_api)} ({answer.requests:,} requests, beside live traffic)"),
    ]
    if asked.files:
        caught_up = f"{_span(answer.catch_up_files)} at most, until the last receipt is verified"
        rows.append(("caught up by file", caught_up))
    for name, value in rows:
        click.echo(f"{name:24}{value}")
    for title, lines in (("assumptions", answer.assumptions), ("next steps", answer.advice)):
        click.echo("\n  ".join([f"{title}:", *lines]))


def _span(seconds: float | None) -> str:
    return "never" if seconds is None else span(seconds)
