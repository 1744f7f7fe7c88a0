"""`tillpost journal recover`."""

from __future__ import annotations

import sys
from contextlib import ExitStack, closing
from pathlib import Path

import click

from tillpost.cli.pipelines import pipeline_command
from tillpost.clock import SystemClock
from tillpost.compose.journals import existing_journal
from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.flow.upkeep.move_receipts import recover_receipts
from tillpost.journal import Journal, RunLock
from tillpost.journal.sqlite import doctor
from tillpost.model import Customer
from tillpost.terminal import answer, counted, plain


@click.command("recover")
@click.argument("source", type=click.Path(path_type=Path))
@pipeline_command
def recover(chosen: PipelineConfig, source: Path, as_json: bool) -> None:
    """Bring what SOURCE, which a restore replaced, has beyond the journal into the journal. Not beside a `run`.

    What was open or delivered in SOURCE is looked up in Engage before it is sent; what was held or skipped there is so
    again. SOURCE is not changed. Exit code 1 when a receipt was left in it.

    \b
    Example:
      tillpost journal recover state/shop/journal.db.replaced-20251128T020000Z
    """
    anonymous = Customer(identifiers=(chosen.anonymous,)) if chosen.anonymous else None
    wait, now = chosen.retry.confirm_after.total_seconds(), SystemClock().time()
    with ExitStack() as stack:
        stack.callback(RunLock(chosen.state).release)
        journal = stack.enter_context(closing(existing_journal(chosen)))
        old = stack.enter_context(closing(Journal(stack.enter_context(doctor.copied(source, chosen.state)))))
        journal.use_identifier_rules(chosen.identifier_rules())
        done = recover_receipts(old, journal, anonymous, wait, now)
        settled = 0 if done.left else journal.losses.settle(now, source.name)
    text = f"{counted(done.receipts, 'receipt')} brought back from {source}"
    text += "".join(f"; {counted(count, 'receipt')} left in it: {why}" for why, count in done.left.items())
    text += f"; {counted(settled, 'loss', 'losses')} settled" if settled else ""
    answer(as_json, {"receipts": done.receipts, "left": dict(done.left), "settled": settled}, plain(text))
    sys.exit(1 if done.left else 0)
