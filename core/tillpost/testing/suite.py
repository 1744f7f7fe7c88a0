"""The base of every suite: a promise is a test of its name, and a waiver has a reason."""

from __future__ import annotations

import sys
from collections.abc import Mapping
from difflib import get_close_matches
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import PluginError, plugin_trace
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import DEFAULT_RECIPE
from tillpost.plugin import Plugin

WAIVE = "or waive it:"
"""How the line begins that says how to waive what is to do."""


class Suite:
    """A class of promises. Subclass one of the suites below it, in a module pytest collects, under a name `Test…`."""

    plugin: ClassVar[str | Plugin] = ""
    """The name of the plugin's entry point (or the Plugin itself)."""
    waivers: ClassVar[Mapping[str, str]] = {}
    """Promise → why the plugin does not give it. Every report shows the waivers."""
    never_waived: ClassVar[frozenset[str]] = frozenset()
    """Promises that cannot be waived."""

    @classmethod
    def promises(cls) -> dict[str, str]:
        """Every promise with its sentence, in the order in which they are tried."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            for name, test in vars(base).items():
                if name.startswith("test_") and name != "test_waivers":
                    found[name.removeprefix("test_")] = " ".join((test.__doc__ or "").split())
        return found

    @classmethod
    def plugin_name(cls) -> str:
        """The plugin's name in messages and reports."""
        return cls.plugin if isinstance(cls.plugin, str) else cls.__name__

    @classmethod
    def loaded_plugin(cls) -> Plugin:
        """The plugin, loaded by its name. Raises ConfigurationError when it is not installed."""
        return load_plugin(cls.plugin) if isinstance(cls.plugin, str) else cls.plugin

    def hooks(
        self, uses: Mapping[str, Mapping[str, Any]], folder: Path | None = None, recipe: str = DEFAULT_RECIPE
    ) -> HookCalls:
        """The plugin in these slots (slot → table as the configuration writes it), its answers checked."""
        return standalone_hooks(
            self.plugin_name(), self.loaded_plugin(), uses, folder=folder or Path.cwd(), recipe=recipe
        )

    def setup_method(self, method: Any) -> None:
        """Called by pytest before each promise: skip a waived one."""
        import pytest

        promise = method.__name__.removeprefix("test_")
        if promise not in self.waivers and (reason := self.not_asked(promise)):
            pytest.skip(f"waived: not asked: {reason}")
        if promise in self.waivers and not (fault := self.waiver_fault(promise)):
            pytest.skip(f"waived: {self.waivers[promise]}")
        elif promise in self.waivers:
            fail(promise, fault)

    def not_asked(self, promise: str) -> str:
        """Why nothing of the kind can be in the plugin's format; "" for a promise that is to be kept."""
        return ""

    def waiver_fault(self, promise: str) -> str:
        """Why this waiver is not allowed; "" when it is."""
        if not str(self.waivers[promise]).strip():
            return "it is waived without a reason"
        if promise in self.never_waived:
            return "it cannot be waived"
        return ""

    @classmethod
    def _wrong_members(cls) -> list[str]:
        """What a subclass sets that no suite has, or has otherwise: it would be taken for nothing, without a word."""
        ours = [base for base in cls.__mro__ if base.__module__.startswith("tillpost.testing.")]
        theirs = [base for base in cls.__mro__ if base not in ours and base is not object]
        known: dict[str, Any] = {}
        for base in reversed(ours):
            known |= dict.fromkeys(vars(base).get("__annotations__", {})) | vars(base)
        members = [(name, value) for base in theirs for name, value in vars(base).items() if not name.startswith("_")]
        return [fault for name, value in members if (fault := _member_fault(name, value, known))]

    def test_waivers(self) -> None:
        """Every waiver names a promise of the suite, and every attribute is one of the suite."""
        check("waivers", *self._wrong_members())
        for name in self.waivers:
            if name not in self.promises():
                fail("waivers", f"there is no promise {name!r}; there are: {', '.join(self.promises())}")


def _member_fault(name: str, value: Any, known: Mapping[str, Any]) -> str:
    """What is wrong with an attribute or a method of a subclass; "" when nothing is. known: those of the suites."""
    is_method = callable(value) or isinstance(value, classmethod | staticmethod | property)
    if name in known:
        if name.startswith("test_") and name != "test_waivers":
            promise = name.removeprefix("test_")
            return f"promise {promise!r} is replaced by a test of its own; waive it, with the reason"
        if name == "never_waived":
            return "never_waived is the suite's to say: which promises cannot be waived"
        if is_method or name in ("plugin", "map_plugin"):
            return ""
        wanted = next((kind for kind in _KINDS if isinstance(known[name], kind)), Path)
        if isinstance(value, wanted) or value is known[name]:
            return ""
        is_shown = isinstance(value, str) and name != "secrets"
        given = f"the text {value[:40]!r}" if is_shown else f"of the type {type(value).__name__}"
        return f"{name} is {given}, and must be {_KINDS.get(wanted, 'a Path')}"
    if name == "pytestmark":
        return ""
    near = get_close_matches(name, known, 1, 0.83 if is_method else 0.6)
    if is_method:  # a method of its own, unless it is a suite's, misspelt
        return f"a suite has no method {name!r}; did you mean {near[0]!r}?" if near else ""
    return f"a suite has no attribute {name!r}" + (f"; did you mean {near[0]!r}?" if near else "")


_KINDS: Mapping[Any, str] = {
    bool: "True or False",
    int | float: "a number",
    str: "text",
    tuple: 'a tuple, such as ("1001",)',
    Mapping: "a mapping",
}
"""Of what kind a value must be, by that of the suite's own; where the suite has none, it is a folder."""


def fail(promise: str, *reasons: str) -> NoReturn:
    """Fail the test: the promise is broken, with the reasons, and the lines of a plugin whose error is in hand."""
    import pytest

    handled = sys.exc_info()[1]
    lines = plugin_trace(handled.__cause__) if isinstance(handled, PluginError) else ()
    text = f"promise `{promise}`: " + "\n  ".join(reasons)
    # Without what led to it: pytest would show the text of each error, which may quote a customer.
    raise pytest.fail.Exception("".join((text, *(f"\n    {line}" for line in lines))), pytrace=False) from None


def check(promise: str, *faults: str) -> None:
    """Fail the test when any of the faults is not empty."""
    if found := [fault for fault in faults if fault]:
        fail(promise, *found)
