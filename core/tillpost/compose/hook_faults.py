"""Which hooks a slot has, and what is wrong with those of an object: found before any of them is called."""

from __future__ import annotations

import inspect
from collections.abc import Callable, Collection, Iterator, Mapping, Sequence
from contextlib import suppress
from difflib import get_close_matches
from typing import Any

import attrs

from tillpost.flow.plugin_faults import place_of_function
from tillpost.hookspecs import Hooks

HOOKS: Mapping[str, tuple[tuple[str, ...], tuple[str, ...]]] = {
    "source": ((), ("collect_documents", "serve_documents", "retry_document", "find_taken", "probe_source")),
    "adapter": (("parse_receipts",), ()),
    "resolve": (("resolve_contact",), ("may_create_contact", "update_contact", "reconcile_contact")),
    "map": (("map_receipt",), ()),
    "amend": (("amend_payload",), ()),
    "transport": (
        ("deliver", "probe"),
        (
            "identity",
            "confirm_receipts",
            "contacts_gone",
        ),
    ),
    "fallback": (("match_in_file", "write_files"), ("import_folders",)),
    "transfer": (("transfer", "find_transferred"), ("probe_transfer",)),
    "observe": (("observe",), ()),
}
"""Slot → the hooks it must implement, and those it may. Other hooks of the object are not called in that slot."""
ONE_OF: Mapping[str, tuple[str, ...]] = {"source": ("collect_documents", "serve_documents")}
"""Slot → hooks of which it must implement at least one."""

_MARK = "tillpost_impl"
"""The attribute that `@hookimpl` gives to a method."""
_SLOT_OF = {hook: slot for slot, (needed, optional) in HOOKS.items() for hook in (*needed, *optional)}
_MAY_YIELD = "parse_receipts"
"""The hook whose answer is a sequence, so that it may be a generator."""


@attrs.frozen
class HookFault:
    """One thing wrong with the hooks of an object, as a sentence with its place, and what to do."""

    message: str
    next_step: str


class Implementations:
    """The hook implementations of one object at one use, each a routine.

    pluggy identifies its plugins by hash and equality; the objects here may be equal, or have no hash.
    """

    def __init__(self, each: object) -> None:
        for name, method in _routines(each):
            if hasattr(method, _MARK):
                setattr(self, name, method)


def hook_faults(each: object, slot: str, slots: Collection[str]) -> list[HookFault]:
    """What is wrong with an object that was built for this slot, by a plugin that has those slots."""
    if each is None:
        return [HookFault(f"it built nothing for {slot}", "Return the object with the hooks: is a `return` missing?")]
    if isinstance(each, type):
        return [
            HookFault(
                f"for {slot} it built the class {each.__name__} itself{_of_class(each)}, not an object of it",
                f"Call it: `{each.__name__}(…)`.",
            )
        ]
    methods = dict(_routines(each))
    marked = {name: method for name, method in methods.items() if hasattr(method, _MARK)}
    faults = [fault for name, method in marked.items() for fault in _method(name, method, slot, slots)]
    faults += [
        HookFault(f"{name} at {place_of_function(methods[name])} is not marked as a hook", "Put `@hookimpl` above it.")
        for name in (*HOOKS[slot][0], *HOOKS[slot][1])
        if name in methods and name not in marked
    ]
    if not faults:
        faults = list(_lacking(each, slot, methods, marked))
    return faults


def _routines(each: object) -> Iterator[tuple[str, Callable[..., Any]]]:
    """Methods by name. Properties are not run; what raises when it is asked for is no method."""
    for name in dir(each):
        if name.startswith("_"):
            continue
        static = inspect.getattr_static(each, name, None)
        if isinstance(static, staticmethod | classmethod) or inspect.isroutine(static):
            with suppress(Exception):
                method = getattr(each, name)
                if inspect.isroutine(method):
                    yield name, method


def _of_class(kind: type) -> str:
    try:
        return f" ({inspect.getsourcefile(kind)}:{inspect.getsourcelines(kind)[1]})"
    except (OSError, TypeError):
        return ""


def _method(name: str, method: Callable[..., Any], slot: str, slots: Collection[str]) -> Iterator[HookFault]:
    """What is wrong with one marked method."""
    place = place_of_function(method)
    options = getattr(method, _MARK)
    if name not in _SLOT_OF:
        yield HookFault(f"unknown hook {name!r} at {place}", _did_you_mean(name, slot))
        return
    if _SLOT_OF[name] not in slots:
        other = _SLOT_OF[name]
        yield HookFault(
            f"{name} at {place} is a hook of the slot {other}, which the plugin does not have",
            f"Add the slot {other} to `slots` of the plugin, or remove the hook.",
        )
        return
    if any(options.get(key) for key in ("wrapper", "hookwrapper", "specname")):
        yield HookFault(
            f"{name} at {place} is marked with an option that no hook here has",
            "Write `@hookimpl` without wrapper, hookwrapper and specname; the method has the name of its hook.",
        )
        return
    yield from _form(name, method, place)
    yield from _arguments(name, method, place)


def _form(name: str, method: Callable[..., Any], place: str) -> Iterator[HookFault]:
    if inspect.iscoroutinefunction(method) or inspect.isasyncgenfunction(method):
        yield HookFault(f"{name} at {place} is `async`, and nobody would await it", "Write it as a plain function.")
    elif name != _MAY_YIELD and inspect.isgeneratorfunction(method):
        yield HookFault(
            f"{name} at {place} has a `yield`, so that calling it does nothing and answers a generator",
            "Write it with `return`.",
        )


def _arguments(name: str, method: Callable[..., Any], place: str) -> Iterator[HookFault]:
    given = list(inspect.signature(getattr(Hooks, name)).parameters)[1:]
    has = f"{name} has the arguments: {', '.join(given)}" if given else f"{name} has no arguments"
    function = getattr(method, "__func__", method)
    if function is not method and next(iter(inspect.signature(function).parameters), "self") in given:
        yield HookFault(f"{name} at {place} lacks `self` as its first argument", f"{has}, after self.")
        return
    for argument in inspect.signature(method).parameters.values():
        if argument.kind in (argument.VAR_POSITIONAL, argument.VAR_KEYWORD):
            star = "*" if argument.kind is argument.VAR_POSITIONAL else "**"
            yield HookFault(
                f"{name} at {place} has the argument {star}{argument.name}, into which nothing is given",
                f"Name the arguments it needs. {has}.",
            )
        elif argument.name not in given:
            yield HookFault(f"{name} at {place} has an argument {argument.name!r} that it is not given", f"{has}.")
        elif argument.default is not argument.empty or argument.kind is argument.KEYWORD_ONLY:
            what = "has a default" if argument.default is not argument.empty else "can be given by name only"
            yield HookFault(
                f"{name} at {place}: the argument {argument.name!r} {what}, and would never be given",
                "Write it as a plain argument.",
            )


def _lacking(
    each: object, slot: str, methods: Collection[str], marked: Mapping[str, Callable[..., Any]]
) -> Iterator[HookFault]:
    """Needed hooks that are not there."""
    choice = ONE_OF.get(slot, ())
    groups: Sequence[tuple[str, ...]] = [*([choice] if choice else []), *((hook,) for hook in HOOKS[slot][0])]
    for group in groups:
        if not any(hook in marked for hook in group):
            near = [name for hook in group for name in get_close_matches(hook, methods, 1, 0.8)]
            hint = f"Is {near[0]} meant for it? " if near else ""
            yield HookFault(
                f"{slot} needs the hook {' or '.join(group)}, which {type(each).__name__} does not have",
                f"{hint}Write it with `@hookimpl`, or name another plugin.",
            )


def _did_you_mean(name: str, slot: str) -> str:
    near = get_close_matches(name, _SLOT_OF, 1)
    own = ", ".join((*HOOKS[slot][0], *HOOKS[slot][1]))
    return f"{f'Did you mean {near[0]}? ' if near else ''}The hooks of {slot} are: {own}."
