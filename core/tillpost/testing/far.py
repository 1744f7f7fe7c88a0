"""The other side of a plugin that speaks to one: the vendor brings it, real or made to fail."""

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
class Far:
    """A destination that stands for the time of a promise.

    uses: slot → the plugin's table that leads to it. holds: what is there now. add: puts something there.
    plugin: instead of the suite's, where a fault has to be built into it.
    """

    uses: Mapping[str, Mapping[str, Any]]
    holds: Callable[[], Any]
    add: Callable[..., str] | None = None
    plugin: Plugin | None = None


class FarSuite(Suite):
    """A suite whose plugin speaks to a destination."""

    secrets: ClassVar[tuple[str, ...]] = ()
    """Keys and passwords of `far_side`: no reason may show one."""

    def far_side(self, fault: str, folder: Path) -> AbstractContextManager[Far]:
        """A fresh destination with this fault ("ok" for none); each suite names its faults."""
        raise NotImplementedError(f"write far_side for {type(self).__name__}; the fault asked for is {fault!r}")

    def at(self, far: Far, folder: Path) -> HookCalls:
        """The plugin, pointed at the destination."""
        if far.plugin is None:
            return self.hooks(far.uses, folder)
        faulty: type[Suite] = type("Faulty", (type(self),), {"plugin": far.plugin})
        return faulty().hooks(far.uses, folder)

    def shown(self, outcome: Any, *private: str) -> str:
        """What an outcome's reason shows that it must not; "" when it shows nothing."""
        reason = getattr(outcome, "reason", "")
        if any(value and value in reason for value in (*self.secrets, *private)):
            return "the reason shows a key, a password or who bought"
        return ""
