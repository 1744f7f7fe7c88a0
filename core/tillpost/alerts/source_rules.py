"""Rules about documents and the sources they come from."""

from __future__ import annotations

from collections.abc import Iterable

from tillpost.alerts.problem import Context, Problem
from tillpost.clock import iso
from tillpost.journal import DocumentEntry, DocumentState, SourceState
from tillpost.terminal import counted

_NAMED = 5
"""Documents that a text names."""
_SHOWN = 1000
"""Unfinished documents that are read; there are more in no shop that is looked after."""
_RETRIES = 300.0
"""Seconds that a document may wait for its source to read it."""


def documents(context: Context) -> Iterable[Problem]:
    found = context.journal.documents.open(_SHOWN)
    if aside := [document for document in found if document.state is DocumentState.SET_ASIDE]:
        yield Problem(
            "documents",
            f"{counted(len(aside), 'document')} set aside: {_named(aside)}",
            "They could not be read to their end. What was read before is accepted; the rest is with nobody.",
            "`tillpost documents list` shows the reasons; fix the cause, then `tillpost documents retry`.",
        )
    if waiting := [
        document
        for document in found
        if document.state is DocumentState.RETRY and context.lasted(document.first_at) > _RETRIES
    ]:
        yield Problem(
            "documents waiting",
            f"{counted(len(waiting), 'document')} cannot be read since {iso(waiting[0].first_at)}: {_named(waiting)}",
            "Their receipts are with nobody yet. The source tries again by itself; the documents behind them go on.",
            "Fix what the reason names, such as the permissions of the file.",
        )


def source(context: Context) -> Iterable[Problem]:
    for each in context.journal.sources.all():
        if each.state is SourceState.WORKING:
            continue
        yield Problem(
            f"source {each.name}",
            f"the source {each.name} does not work since {iso(each.since)}: {each.reason}",
            "Nothing new is accepted from it; what was accepted before goes on. It is tried again by itself.",
            _remedy(each.state, each.reason),
        )


def _remedy(state: SourceState, reason: str) -> str:
    if state is SourceState.MISCONFIGURED:
        return "Correct the setting that the reason names, then `tillpost reload`."
    if reason.startswith("plugin "):  # a PluginError, which names the plugin and its line
        return "Fix the line of the plugin, or report it to the plugin's author."
    return "Bring back what the reason names."


def _named(documents: list[DocumentEntry]) -> str:
    """Each reason once, with the first document that has it."""
    reasons: dict[str, str] = {}
    for document in documents:
        reasons.setdefault(document.reason, document.name)
    texts = [f"{name} ({reason})" for reason, name in list(reasons.items())[:_NAMED]]
    return "; ".join(texts) + ("" if len(documents) == len(texts) else "; …")
