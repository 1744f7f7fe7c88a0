"""Commands that live in plugins: found by name in the entry-point group `tillpost.tools`."""

from __future__ import annotations

from collections.abc import Callable
from importlib.metadata import entry_points
from typing import Any

from tillpost.errors import PluginError


def tool(name: str) -> Callable[..., Any]:
    """The function behind a command. Raises PluginError when it is not installed or cannot be loaded."""
    found = list(entry_points(group="tillpost.tools", name=name))
    if not found:
        raise PluginError(name, "is not installed; `pip install tillpost` brings it")
    try:
        loaded: Callable[..., Any] = found[0].load()
    except ImportError as error:
        raise PluginError(
            name, f"cannot be loaded: {error}; `pip install 'tillpost[all]'` brings what it needs"
        ) from error
    return loaded
