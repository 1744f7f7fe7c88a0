"""Rules about the machine Tillpost runs on."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import CLOCK_OFF, Context, Problem
from tillpost.clock import iso
from tillpost.compose.stranded import listed_stranded
from tillpost.errors import describe
from tillpost.flow.heartbeat import Death
from tillpost.flow.limits import SourcePolicy
from tillpost.reports.plan import weigh
from tillpost.terminal import counted, span

_HOUR = 3600.0
_REFUSALS = 3
"""Times that a channel may refuse a notice: some minutes."""


def stopped(context: Context) -> Iterable[Problem]:
    """Asked of the process that runs the pipeline."""
    if context.line is None:
        return
    heartbeat = context.line.heartbeat
    if heartbeat.fault is not None:
        yield Problem(
            "stopped",
            f"the pipeline has stopped: {describe(heartbeat.fault)}",
            "Nothing of it is accepted or sent; what the journal has is kept. `tillpost run` starts it again after a"
            " while.",
            "Fix what the reason names; the log has more. A damaged journal: `tillpost journal verify`.",
        )
    elif ended := heartbeat.dead_threads() + heartbeat.stuck_threads():
        yield Problem(
            "stopped",
            f"threads have ended or hang: {', '.join(sorted(ended))}",
            "What they do is not done, by their name: accepting, sending, transferring, or telling the observers"
            " (`observe`), which keeps no receipt back.",
            "Restart `tillpost run`. A plugin whose call never returns is the usual cause; the log names it.",
        )


def thread(context: Context) -> Iterable[Problem]:
    """Threads that died within the last hour and were started again."""
    if context.line is None:
        return
    deaths: dict[str, list[Death]] = {}
    for death in context.line.heartbeat.deaths(context.now - _HOUR):
        if context.lasted(death.at) > _HOUR:
            continue
        deaths.setdefault(death.thread, []).append(death)
    for name, found in deaths.items():
        yield Problem(
            f"thread {name}",
            f"thread {name} died {counted(len(found), 'time')} within an hour and was started again:"
            f" {found[-1].reason}",
            "Its work goes on. After several deaths in five minutes the pipeline stops.",
            "The reason names the plugin or the place in the code; report it with `tillpost bundle`.",
        )


def clock(context: Context) -> Iterable[Problem]:
    ahead = context.journal.alert_inputs.last_event() - context.now
    if ahead > CLOCK_OFF:
        yield Problem(
            "clock",
            f"the clock of this machine is wrong: the journal has events {span(ahead)} later than now, which is"
            f" {iso(context.now)}",
            "Receipts and files get wrong times. Waits are kept by a clock that nobody sets.",
            "Set the clock, and let it be kept by NTP (`timedatectl`).",
        )
    elif (
        change := context.journal.alert_inputs.last_clock_change(context.now - _HOUR, context.now + CLOCK_OFF)
    ) is not None:
        yield Problem(
            "clock",
            f"the clock of this machine was set by {change[1]:+.0f} s at {iso(change[0])}",
            "Due times have moved with it. Receipts accepted before have the times of the old clock.",
            "Let the clock be kept by NTP (`timedatectl`); nothing else is to be done.",
        )


def _room(context: Context) -> int:
    source = context.line.source if context.line is not None else None
    return (source or SourcePolicy()).room


def channel(context: Context) -> Iterable[Problem]:
    """A channel that takes no notice is told where people look, and by the other channels."""
    waiting: dict[str, tuple[int, str]] = {}
    for name, attempts, reason in context.journal.alerts.unsent():
        waiting[name] = max(waiting.get(name, (0, "")), (attempts, reason))
    for name, (attempts, reason) in waiting.items():
        if attempts >= _REFUSALS:
            yield Problem(
                f"channel {name}",
                f"no alert is sent by {name}, {counted(attempts, 'attempt')} failed: {reason}",
                "Alerts stand in `tillpost alerts` and `tillpost status`, and nobody is notified by this channel.",
                "Fix it; `tillpost alerts test` sends a notice. What waits is sent then.",
            )


def journal(context: Context) -> Iterable[Problem]:
    """What is known to be missing in the journal."""
    for loss in context.journal.losses.open():
        yield Problem(
            f"journal {loss.seq}",
            f"found at {iso(loss.at)} in the journal: {loss.what}",
            "The journal was damaged or is an older one: something may be missing in it. What is there goes on.",
            loss.next_step,
        )


def disk(context: Context) -> Iterable[Problem]:
    free, _ = context.journal.room()
    room = _room(context)
    if free < room:
        yield Problem(
            "disk",
            f"the disk of {context.journal.folder} has {free // 10**6} MB free, less than {room // 10**6} MB (`room`)",
            "Sources that serve refuse new receipts. When it is full nothing is accepted; deliveries go on.",
            "Free disk space now, or move `state` to a larger disk.",
        )


def disk_for_outage(context: Context) -> Iterable[Problem]:
    rate = context.journal.alert_inputs.acceptance_rate(context.now) * weigh(context.journal).on_disk()
    free, _ = context.journal.room()
    if rate and free >= _room(context) and free / rate < context.limits.disk_for_outage.total_seconds():
        yield Problem(
            "disk_for_outage",
            f"the disk of {context.journal.folder} has {free // 10**6} MB free, enough for"
            f" {free / rate / 3600:.1f} h of receipts",
            "A longer outage would fill the disk, and then nothing more is accepted.",
            "Free disk space, move `state` to a larger disk, or set `keep` in the pipeline.",
        )


def stranded(context: Context) -> Iterable[Problem]:
    """What waits in the folders of pipelines that were taken out of the file."""
    for each in listed_stranded(context.journal.folder):
        yield Problem(
            f"stranded {each.name}",
            each.what(),
            "Nothing of it is sent: no pipeline of the configuration works on that folder.",
            each.ways(),
        )
