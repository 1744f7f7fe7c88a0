"""Tillpost: the names a vendor's plugin imports; `tillpost.model` has the values."""

from tillpost.clock import Clock
from tillpost.errors import ConfigurationError, DocumentError, Finding, LawBroken, TillpostError, UsageError
from tillpost.hookspecs import hookimpl
from tillpost.plugin import Budget, Context, Plugin, Secret, Use, simple

__all__ = [
    "Budget",
    "Clock",
    "ConfigurationError",
    "Context",
    "DocumentError",
    "Finding",
    "LawBroken",
    "Plugin",
    "Secret",
    "TillpostError",
    "UsageError",
    "Use",
    "hookimpl",
    "simple",
]
