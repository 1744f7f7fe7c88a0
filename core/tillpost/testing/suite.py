"""What the suites share: a promise is a test, its name is the promise's, and a waiver has a reason."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar, NoReturn

from tillpost.compose.alone import alone
from tillpost.compose.plugins import load_plugin
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import DEFAULT_RECIPE
from tillpost.plugin import Plugin


class Suite:
    """A class of promises. Subclass one of the suites below it, in a module pytest collects, under a name `Test…`."""

    plugin: ClassVar[str | Plugin] = ""
    """The name of the plugin's entry point (or the Plugin itself)."""
    waivers: ClassVar[Mapping[str, str]] = {}
    """Promise → why it is not given. A waiver is shown in every report."""
    never_waived: ClassVar[frozenset[str]] = frozenset()
    """Promises nobody can do without."""

    @classmethod
    def promises(cls) -> dict[str, str]:
        """Every promise with what it says, in the order in which they are tried."""
        found: dict[str, str] = {}
        for base in reversed(cls.__mro__):
            for name, test in vars(base).items():
                if name.startswith("test_") and name != "test_waivers":
                    found[name.removeprefix("test_")] = " ".join((test.__doc__ or "").split())
        return found

    @classmethod
    def plugin_name(cls) -> str:
        """How messages and reports call the plugin."""
        return cls.plugin if isinstance(cls.plugin, str) else cls.__name__

    @classmethod
    def the_plugin(cls) -> Plugin:
        """The plugin itself. Raises ConfigurationError when it is not installed."""
        return load_plugin(cls.plugin) if isinstance(cls.plugin, str) else cls.plugin

    def hooks(
        self, uses: Mapping[str, Mapping[str, Any]], folder: Path | None = None, recipe: str = DEFAULT_RECIPE
    ) -> HookCalls:
        """The plugin in these slots (slot → table as the configuration writes it), its answers checked."""
        return alone(self.plugin_name(), self.the_plugin(), uses, folder=folder or Path.cwd(), recipe=recipe)

    def setup_method(self, method: Any) -> None:
        """Before each promise (pytest calls this): a waived one is not tried."""
        import pytest

        promise = method.__name__.removeprefix("test_")
        if promise in self.waivers and not (trouble := self.waiver_trouble(promise)):
            pytest.skip(f"waived: {self.waivers[promise]}")
        elif promise in self.waivers:
            broken(promise, trouble)

    def waiver_trouble(self, promise: str) -> str:
        """Why this waiver cannot stand; "" when it can."""
        if not str(self.waivers[promise]).strip():
            return "it is waived without a reason"
        if promise in self.never_waived:
            return "nobody can do without it, so it cannot be waived"
        return ""

    def test_waivers(self) -> None:
        """Every waiver names a promise of the suite."""
        for name in self.waivers:
            if name not in self.promises():
                broken("waivers", f"there is no promise {name!r}; there are: {', '.join(self.promises())}")


def broken(promise: str, *why: str) -> NoReturn:
    """The promise is not kept, and this is why."""
    import pytest

    pytest.fail(f"promise `{promise}`: " + "\n  ".join(why), pytrace=False)


def keep(promise: str, *troubles: str) -> None:
    """The promise is kept when none of the troubles says anything."""
    if said := [trouble for trouble in troubles if trouble]:
        broken(promise, *said)
