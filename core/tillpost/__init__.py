"""Tillpost: the names a vendor's plugin imports; `tillpost.model` has the values."""

from tillpost.clock import Clock
from tillpost.errors import (
    Busy,
    ConfigurationError,
    DocumentError,
    Finding,
    JournalError,
    JournalFull,
    KeyBusy,
    KeyTaken,
    LawBroken,
    Stopped,
    TillpostError,
    UsageError,
    describe,
)
from tillpost.hookspecs import hookimpl
from tillpost.plugin import Budget, Context, Plugin, Secret, Use, simple

__all__ = [
    "Budget",
    "Busy",
    "Clock",
    "ConfigurationError",
    "Context",
    "DocumentError",
    "Finding",
    "JournalError",
    "JournalFull",
    "KeyBusy",
    "KeyTaken",
    "LawBroken",
    "Plugin",
    "Secret",
    "Stopped",
    "TillpostError",
    "UsageError",
    "Use",
    "describe",
    "hookimpl",
    "simple",
]
