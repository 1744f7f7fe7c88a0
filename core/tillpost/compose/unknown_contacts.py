"""Settings that are valid each, and with which receipts wait for a contact that nobody finds and nobody creates."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import suppress

from tillpost.compose.pipeline_config import PipelineConfig
from tillpost.compose.toml_lines import KeyPath
from tillpost.errors import PluginError
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Contact, Identifier
from tillpost.terminal import span

_EXAMPLES = {
    "email": "nobody@example.com", "mobilePhone": "+46701740605", "externalId": "1", "memberNumber": "1",
    "socialSecurityNumber": "19121212-1212",
}  # fmt: skip


_Fault = tuple[KeyPath, str, str]
"""The key, what is wrong with it, and the next step."""


def nobody_finds_or_creates(pipeline: PipelineConfig, hooks: HookCalls) -> list[_Fault]:
    """What is known of it from the settings alone."""
    with suppress(PluginError):
        return [*_anonymous(pipeline), *_never_created(pipeline, hooks)]
    return []


def _anonymous(pipeline: PipelineConfig) -> Iterator[_Fault]:
    keys, anonymous = pipeline.lookup_keys(), pipeline.anonymous
    if not keys or anonymous is None or anonymous.kind in keys:
        return
    by = ", ".join(sorted(keys - {"contactId"}))
    message = (
        f"names the contact by its {anonymous.kind}, and `keys` of `resolve` has {by}: nobody asks for it, and sales"
        f" without a customer {_end(pipeline)}."
    )
    step = f"Add {anonymous.kind} to `keys`, or name the contact by one of them."
    yield ("pipelines", pipeline.name, "anonymous"), message, step


def _never_created(pipeline: PipelineConfig, hooks: HookCalls) -> Iterator[_Fault]:
    for use in pipeline.slots:
        keys = getattr(use.settings, "keys", ())
        is_asked_to = use.slot == "resolve" and keys and getattr(use.settings, "create", False) is True
        if not is_asked_to or any(_creates(hooks, kind) for kind in keys):
            continue
        by = ", ".join(kind for kind in _EXAMPLES if _creates(hooks, kind)) or "none"
        message = (
            f"has {', '.join(keys)} alone, by which no contact is created, though `create` is true: receipts of a"
            f" customer with no other key whom the destination does not know {_end(pipeline)}."
        )
        yield (*use.path, "keys"), message, f"Add a key that contacts are created by ({by}), or set create = false."


def _creates(hooks: HookCalls, kind: str) -> bool:
    """Whether a resolver may create a contact that has this kind of identifier alone."""
    known = Identifier(kind, _EXAMPLES.get(kind, "1"))
    return hooks.may_create_contact(Contact(key="check", identifiers=(known,)))


def _end(pipeline: PipelineConfig) -> str:
    what = {"hold": "held", "skip": "skipped"}[pipeline.unknown_contact]
    return f"wait for {span(pipeline.unknown_after.total_seconds())} and are {what}"
