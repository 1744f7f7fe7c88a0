"""Suites of plugins that talk to a destination; the vendor brings one for the tests, with the faults asked for."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager
from pathlib import Path
from typing import Any, ClassVar

import attrs

from tillpost.flow.hook_calls import HookCalls
from tillpost.plugin import Plugin
from tillpost.testing.suite import Suite


@attrs.frozen(kw_only=True)
class FakeDestination:
    """A destination that runs while a promise is tried.

    uses: slot → the plugin's table with the address of this destination. holds: returns what it has now. add: puts
    something there. plugin: instead of the suite's, where a fault has to be built into the plugin.
    """

    uses: Mapping[str, Mapping[str, Any]]
    holds: Callable[[], Any]
    add: Callable[..., str] | None = None
    plugin: Plugin | None = None


class DestinationSuite(Suite):
    """A suite whose plugin talks to a destination."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys and passwords of the destination: no reason may contain one."""

    def destination(self, fault: str, folder: Path) -> AbstractContextManager[FakeDestination]:
        """A fresh destination with this fault ("ok" for none); each suite names its faults."""
        raise NotImplementedError(f"write `destination` for {type(self).__name__}; the fault asked for is {fault!r}")

    def hooks_at(self, fake: FakeDestination, folder: Path) -> HookCalls:
        """The hooks of the plugin, set up for this destination."""
        if fake.plugin is None:
            return self.hooks(fake.uses, folder)
        faulty: type[Suite] = type("Faulty", (type(self),), {"plugin": fake.plugin})
        return faulty().hooks(fake.uses, folder)

    def leak(self, outcome: Any, *personal: str) -> str:
        """The fault that an outcome's reason contains a secret or personal data; "" when it does not."""
        reason = getattr(outcome, "reason", "")
        if any(value and value in reason for value in (*self.secrets, *personal)):
            return "the reason shows a key, a password or who bought"
        return ""


def outcome_fault(outcome: Any, *allowed: type) -> str:
    """The fault that an outcome is of none of these classes; "" when it is of one."""
    names = " or ".join(kind.__name__ for kind in allowed)
    return "" if isinstance(outcome, allowed) else f"the outcome is {type(outcome).__name__}, not {names}"
