"""Rules about plugins that fail."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.clock import iso
from tillpost.journal import ObserverBehind, SourceState, StepSetAside
from tillpost.journal.tables.steps_set_aside import OBSERVE
from tillpost.terminal import counted

_NAMED = 5
"""Steps that a text names."""
_TOLD_ELSEWHERE = (OBSERVE, "transfer", "find_transferred", "collect_documents")
"""Events have a rule of their own, a file stands as not consumed, and a source as failing."""


def set_aside(context: Context) -> Iterable[Problem]:
    standing = context.journal.steps_set_aside.standing(context.now)
    if aside := [each for each in standing if each.step not in _TOLD_ELSEWHERE]:
        named = "; ".join(each.reason for each in aside[:_NAMED]) + ("; …" if len(aside) > _NAMED else "")
        yield Problem(
            "set_aside",
            f"{counted(len(aside), 'step')} set aside or failing since {iso(aside[0].since)}: {named}",
            "What it was about waits: a contact is not looked up, and its receipts are not verified or confirmed. The"
            " others go on.",
            "Correct or update the plugin that it names, and restart `tillpost run`. It is tried again by itself, at"
            " the time that is named; `tillpost contacts list` shows whose contact it is.",
        )


def observer(context: Context) -> Iterable[Problem]:
    for each in context.journal.steps_set_aside.standing(context.now):
        if each.step == OBSERVE:
            yield _lost(each)
    for behind in context.journal.observers_behind.all():
        if behind.is_late(context.now):
            yield _waits(behind, context.journal.observers_behind.count_waiting(behind))


def _waits(behind: ObserverBehind, waiting: int) -> Problem:
    since, left = iso(behind.since), counted(waiting, "event")
    if behind.state is SourceState.WORKING:
        return Problem(
            f"observer {behind.name} waits",
            f"the observer {behind.name} works again; {left} of those since {since} are left",
            "Receipts are sent all the same. It gets the events in order.",
            "Nothing while they become fewer (`tillpost status`). Where they do not, the observer is slower than events"
            " come: have it hand them to a queue.",
        )
    return Problem(
        f"observer {behind.name} waits",
        f"the observer {behind.name} has not got {left} since {since}; it says: {behind.reason}",
        "Receipts are sent all the same. The events are kept for it, in order, for as long as their receipts are.",
        "Correct the setting that the reason names, then `tillpost reload`."
        if behind.state is SourceState.MISCONFIGURED
        else "Bring back what the reason names. It is tried again by itself, and then gets all of them.",
    )


def _lost(lost: StepSetAside) -> Problem:
    return Problem(
        f"observer {lost.name}",
        f"the observer {lost.name} lost {counted(lost.count, 'event')} since {iso(lost.since)}, the last at"
        f" {iso(lost.at)}: {lost.reason}",
        "Receipts are sent all the same; what the observer does with an event was not done for these. They are not"
        " passed on again.",
        "Correct or update the plugin, and restart `tillpost run`. `tillpost receipt` shows the events of a receipt."
        " The alert is over a day after the last one.",
    )
