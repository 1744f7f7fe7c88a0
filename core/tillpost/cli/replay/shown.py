"""A replay and its plan, for people and as JSON."""

from __future__ import annotations

from typing import Any

import click

from tillpost.cli.output import print_table
from tillpost.errors import UsageError
from tillpost.flow.upkeep.replay import seconds_left
from tillpost.flow.upkeep.replay_plan import SELECTED, Fate, Plan
from tillpost.journal import Journal, Replay
from tillpost.reports.labels import ROUTES
from tillpost.terminal import plain, say, span, when

_MEANS = {
    Fate.SEND: "sent",
    Fate.VERIFY: "looked up in Engage's history, and sent if it is not there",
    Fate.CONFIRMED: "left: Engage has it",
    Fate.IN_PROGRESS: "left: on its way already",
    Fate.COLLIDES: "left: its id has other content, which Engage would keep",
    Fate.DISCARDED: "left: a person has discarded it",
    Fate.SUPERSEDED: "left: voided at the till, or another receipt stands in its place",
    Fate.UNREADABLE: "left: its content is damaged; `tillpost held retry`, or accept its file again",
    Fate.NO_CUSTOMER: "left: no customer, and the pipeline has no `anonymous`",
    Fate.TOO_OLD: "left: settled longer ago than `keep`",
}


def show_plan(proposed: Plan, as_json: bool, bulk: bool) -> None:
    """Show what would be done. bulk: recommend files."""
    order = proposed.order
    asked = {"store": order.store, "till": order.till, "from": order.first, "to": order.last, "by": order.by}
    if as_json:
        say({"event": "plan", **asked, "chosen": proposed.chosen, "plan": proposed.json()})
        return
    rows = [
        {
            "receipts": share.count,
            "amount": ", ".join(f"{amount} {currency}" for currency, amount in sorted(share.amounts.items())),
            "what": _MEANS[fate],
        }
        for fate, share in proposed.shares.items()
        if share.count or fate in SELECTED[:1]
    ]
    till = f", till {order.till}" if order.till else ""
    click.echo(plain(f"store {order.store}{till}, {order.first} to {order.last}, {ROUTES[order.by]}:"))
    print_table(rows, ["receipts", "amount", "what"])
    if proposed.undated:
        undated = f"unreadable records of the store, without a day: {proposed.undated}"
        click.echo(f"{undated}; `tillpost held list` lists them")
    if proposed.kept_since:
        click.echo(f"receipts of days before {proposed.kept_since} may have left the journal (`keep`)")
    if bulk:
        click.echo("Engage asks for history by file: consider --by file")


def find(journal: Journal, number: int) -> Replay:
    """The replay of this number. Raises UsageError."""
    found = journal.replays.get(number)
    if found is None:
        raise UsageError(f"no replay {number} in the journal; `tillpost replay list` lists them")
    return found


def show_replay(replay: Replay) -> dict[str, Any]:
    """A replay in JSON."""
    order, seconds = replay.order, seconds_left(replay)
    return {
        "id": replay.id,
        "state": replay.state,
        **{name: getattr(order, name) for name in ("reason", "who", "store", "till")},
        "from": order.first,
        "to": order.last,
        "by": order.by,
        "unverified": order.unverified,
        "made_at": when(replay.made_at),
        "ended_at": when(replay.ended_at),
        **{name: getattr(replay, name) for name in ("chosen", "put_back", "not_written")},
        "day": replay.cursor.day,
        "seconds_left": None if seconds is None else round(seconds),
    }


def report(replay: Replay, as_json: bool, receipts: dict[str, int] | None = None) -> None:
    """Show the progress. receipts: those put back, by state."""
    row = show_replay(replay)
    if as_json:
        say({"event": "replay", **row} | ({} if receipts is None else {"receipts": receipts}))
        return
    text = f"replay {replay.id}: {replay.state}, {replay.put_back} of {replay.chosen} put back"
    if replay.not_written:
        text += f", {replay.not_written} that no file could take"
    if receipts:
        text += f" ({', '.join(f'{count} {state}' for state, count in sorted(receipts.items()))})"
    if replay.state == "running" and row["seconds_left"] is not None:
        text += f", about {span(row['seconds_left'])} to go"
    click.echo(text)
