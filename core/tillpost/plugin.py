"""What a plugin declares, slots with settings, and what it is given, a context.

An entry point of the group `tillpost.plugins` names a `Plugin`. It is imported only when a pipeline names it.
"""

from __future__ import annotations

import random
from collections.abc import Callable, Iterable, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import is_dataclass
from datetime import date
from difflib import get_close_matches
from inspect import signature
from pathlib import Path
from typing import Any, Protocol

import attrs

from tillpost.clock import Clock
from tillpost.errors import InvalidValue
from tillpost.model import DEFAULT_RECIPE, Document, receipt_id

SLOTS = ("source", "adapter", "resolve", "map", "amend", "transport", "fallback", "transfer", "observe")
"""The keys of a pipeline's table that name plugins, in flow order."""

CAPABILITIES = ("customer", "sequence", "day totals", "linked returns", "discounts", "taxes", "tenders")
"""What a till's format may contain, and an adapter says it passes on (`Plugin.capabilities`).

customer: who bought, where the till knows it. sequence: receipt numbers of a store and till have no gaps, so a missing
number is a missing receipt. day totals: the till's own sums of a day. linked returns: a returned line names the receipt
it was bought on, as `originalReceipt` in its `extra`. discounts, taxes, tenders: given one by one, not only in sums.
"""


def must(requirement: str, holds: Callable[[Any], bool]) -> Callable[[Any, attrs.Attribute[Any], Any], None]:
    """A validator that raises ValueError "NAME must REQUIREMENT" unless `holds(value)`."""

    def check(_: Any, field: attrs.Attribute[Any], value: Any) -> None:
        if not holds(value):
            raise ValueError(f"{field.name} must {requirement}")

    return check


class Secret:
    """A key or password. It is shown as `***`; only `reveal()` gives its value."""

    __slots__ = ("_value", "origin")

    def __init__(self, value: str, origin: str = "literal") -> None:
        self._value = value
        self.origin = origin
        """`env NAME`, `file PATH` or `literal`: where it came from, for messages."""

    def reveal(self) -> str:
        """The value itself; never log it."""
        return self._value

    def __repr__(self) -> str:
        return "***"

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Secret) and self._value == other._value

    def __hash__(self) -> int:
        return hash(self._value)


class Budget(Protocol):
    """The request rate of one API key, shared by every pipeline that uses the key."""

    def request(self) -> AbstractContextManager[None]:
        """Wait until one more request is allowed: `with budget.request():` around each request and its answer.

        The destination counts when requests arrive, and a request has arrived when its answer comes.
        """

    def slow(self, seconds: float) -> None:
        """Let no request pass for so many seconds: the destination has answered 429."""


@attrs.frozen(kw_only=True)
class Context:
    """What a plugin may use of its pipeline.

    folder: the folder of the configuration file; relative paths in settings are already resolved against it.
    budget: the shared rate budget of an API key, for so many requests a second.
    """

    pipeline: str
    folder: Path
    state: Path
    clock: Clock
    random: random.Random
    budget: Callable[[Secret, float], Budget]
    recipe: str = DEFAULT_RECIPE
    _read_cursor: list[Callable[[], str | None]] = attrs.field(factory=list, alias="read_cursor", repr=False)

    def cursor(self) -> str | None:
        """The cursor the pipeline's source gave with the last document that was accepted; None when it never did.

        Read from the journal, so a source asks in each round instead of keeping it. Raises RuntimeError in `build`,
        where no journal is open.
        """
        if not self._read_cursor:
            raise RuntimeError("the cursor is in the journal, which is not open while plugins are built")
        return self._read_cursor[-1]()

    def receipt_id(self, *, store: str, till: str, business_date: date, number: str) -> str:
        """The receipt's id by the pipeline's recipe (`receipt_id` in the configuration)."""
        return receipt_id(store=store, till=till, business_date=business_date, number=number, recipe=self.recipe)


@attrs.frozen
class Use:
    """One place where a pipeline names the plugin: the slot, and the settings given there."""

    slot: str
    settings: Any


Recognise = Callable[[Document, Any], str]
Presets = Callable[[], Mapping[str, str]]
Build = Callable[[Sequence[Use], Context], Sequence[object]]


@attrs.frozen(kw_only=True)
class Plugin:
    """A plugin: the slots it can fill, each with its settings class, and how to build it.

    slots: slot name → attrs class of settings. Field types: str, int, bool, Decimal, timedelta ("15m"),
    Path (made absolute), ZoneInfo, Secret, Literal, tuples and dicts of these. A field without a default must be given.
    build: called once for each pipeline with every use of this plugin in it, in the order of the file; returns one
    object with hook implementations for each use. Raise ConfigurationError(Finding(key=…)) for faults that show only
    here. Open no connection.
    summary: one line for `tillpost plugins`.
    capabilities: those of CAPABILITIES that an adapter passes on.
    recognise: what an adapter takes a document for, as a phrase of dialect and version ("NCR, POSLog 6.0"); "" where it
    recognises none. Called as `recognise(document, settings)` by `tillpost adapter try`, never in a pipeline.
    presets: the values of an adapter's setting `preset`, each with the settings it stands for as TOML. That begins with
    comments: first what it is for, then what must be set beside it. `tillpost adapter preset` shows them.
    Raises InvalidValue for a slot there is not, settings that are no attrs class, or functions of other arguments.
    """

    summary: str = attrs.field()
    slots: Mapping[str, type] = attrs.field()
    build: Build
    capabilities: frozenset[str] = attrs.field(default=frozenset())
    recognise: Recognise | None = None
    presets: Presets | None = None

    def __attrs_post_init__(self) -> None:
        check_call("build", self.build, "uses", "context")
        if self.recognise is not None:
            check_call("recognise", self.recognise, "document", "settings")

    @summary.validator
    def _is_text(self, _: object, summary: object) -> None:
        if not isinstance(summary, str):
            raise InvalidValue(f"the summary of a plugin is a line of text, not {_kind(summary)}")

    @slots.validator
    def _are_slots(self, _: object, slots: object) -> None:
        if not isinstance(slots, Mapping) or not slots:
            raise InvalidValue(f"slots are a mapping of slot to settings class, with at least one, not {_kind(slots)}")
        for slot, settings in slots.items():
            if slot not in SLOTS:
                near = get_close_matches(str(slot), SLOTS, 1)
                hint = f"; did you mean {near[0]!r}?" if near else ""
                raise InvalidValue(f"there is no slot {slot!r}{hint}; the slots are: {', '.join(SLOTS)}")
            if not (isinstance(settings, type) and attrs.has(settings)):
                raise InvalidValue(
                    f"the settings of the slot {slot!r} are an attrs class (`@attrs.frozen(kw_only=True)`, without"
                    f" fields where there is nothing to set), not {_kind(settings)}"
                )

    @capabilities.validator
    def _known(self, _: object, capabilities: frozenset[str]) -> None:
        if unknown := capabilities - frozenset(CAPABILITIES):
            raise InvalidValue(f"capabilities are {', '.join(CAPABILITIES)}, not {', '.join(sorted(unknown))}")


def _kind(value: object) -> str:
    if not isinstance(value, type):
        return "None" if value is None else f"one {type(value).__name__}"
    return f"the dataclass {value.__name__}" if is_dataclass(value) else f"the class {value.__name__}"


def check_call(name: str, function: object, *arguments: str) -> None:
    """Raise InvalidValue unless the function can be called with so many arguments."""
    call = f"it is called as {name}({', '.join(arguments)})"
    if not callable(function):
        raise InvalidValue(f"{name} is a function, not {_kind(function)}: {call}")
    try:
        takes = signature(function)
    except (TypeError, ValueError):  # of a function in C, which has none
        return
    try:
        takes.bind(*arguments)
    except TypeError:
        own = getattr(function, "__name__", type(function).__name__)
        raise InvalidValue(f"{name} cannot be {own}{takes}: {call}") from None


def simple(
    summary: str,
    slot: str,
    settings: type,
    make: Callable[[Any, Context], object],
    capabilities: Iterable[str] = (),
    recognise: Recognise | None = None,
    presets: Presets | None = None,
) -> Plugin:
    """A plugin with one slot, whose object is `make(settings, context)`. Raises InvalidValue as `Plugin` does."""
    check_call("make", make, "settings", "context")
    return Plugin(
        summary=summary,
        slots={slot: settings},
        build=lambda uses, context: [make(use.settings, context) for use in uses],
        capabilities=frozenset(capabilities),
        recognise=recognise,
        presets=presets,
    )
