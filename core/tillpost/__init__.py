"""Tillpost: the names a vendor's plugin imports; `tillpost.model` has the values."""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tillpost.clock import Clock
    from tillpost.errors import (
        Busy,
        ConfigurationError,
        DocumentError,
        Finding,
        InvalidValue,
        JournalError,
        JournalFull,
        KeyBusy,
        KeyTaken,
        Stopped,
        TillpostError,
        UsageError,
        describe,
    )
    from tillpost.hookspecs import Accept, hookimpl
    from tillpost.plugin import Budget, Context, Plugin, Secret, Use, simple
    from tillpost.trace import traceparent

__all__ = [
    "Accept",
    "Budget",
    "Busy",
    "Clock",
    "ConfigurationError",
    "Context",
    "DocumentError",
    "Finding",
    "InvalidValue",
    "JournalError",
    "JournalFull",
    "KeyBusy",
    "KeyTaken",
    "Plugin",
    "Secret",
    "Stopped",
    "TillpostError",
    "UsageError",
    "Use",
    "describe",
    "hookimpl",
    "simple",
    "traceparent",
]


def __getattr__(name: str) -> object:
    """A public name, imported when it is first asked for: the launcher starts without any of them."""
    if name in __all__:
        for home in ("errors", "clock", "hookspecs", "plugin", "trace"):
            public = vars(import_module(f"tillpost.{home}"))
            if name in public:
                return globals().setdefault(name, public[name])
    raise AttributeError(f"module 'tillpost' has no attribute {name!r}")
