"""One pipeline of the configuration file as values."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Any, Literal

import attrs

from tillpost.compose.toml_lines import KeyPath
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy, VerifyPolicy
from tillpost.model import DEFAULT_RECIPE, Identifier
from tillpost.model.identifier_rules import IdentifierRules


@attrs.frozen(kw_only=True)
class SlotConfig:
    """One plugin at one place of a pipeline.

    table: what the plugin's Settings were read from; settings: the instance (None when plugins were not read).
    """

    slot: str
    plugin: str
    table: Mapping[str, Any] = attrs.field(repr=False, hash=False)
    path: KeyPath
    settings: Any = attrs.field(default=None, hash=False)


@attrs.frozen(kw_only=True)
class PipelineConfig:
    """One pipeline. state: the folder of its journal and fallback files; anonymous: the contact of sales without a
    customer."""

    name: str
    state: Path
    marks: tuple[Path, ...] = ()
    """Where it is noted, outside the state folder, that it has a journal."""
    file: str = ""
    """The name of the configuration file."""
    recipe: str = DEFAULT_RECIPE
    anonymous: Identifier | None = None
    workers: int | None = None
    unknown_contact: Literal["hold", "skip"] = "hold"
    unknown_after: timedelta = timedelta(days=1)
    erased: Literal["create", "hold"] = "create"
    country: str = ""
    countries: Mapping[str, str] = attrs.field(factory=dict, hash=False)
    verify: VerifyPolicy = attrs.field(factory=VerifyPolicy)
    keep: timedelta | None = None
    guard: Literal["off", "hold"] = "off"
    guard_first: int = 20
    slots: tuple[SlotConfig, ...]
    source: SourcePolicy = attrs.field(factory=SourcePolicy)
    retry: RetryPolicy = attrs.field(factory=RetryPolicy)
    fallback: FallbackPolicy = attrs.field(factory=FallbackPolicy)
    transfer: TransferPolicy = attrs.field(factory=TransferPolicy)

    def has(self, slot: str) -> bool:
        """Whether a plugin fills this slot."""
        return any(use.slot == slot for use in self.slots)

    def lookup_keys(self) -> frozenset[str] | None:
        """The kinds of identifier by which `resolve` asks the destination; None when a resolver does not say."""
        kinds: set[str] = set()
        for use in self.slots:
            if use.slot == "resolve" and use.plugin != "known":
                keys = getattr(use.settings, "keys", None)
                if keys is None:
                    return None
                kinds |= {*keys, "contactId"}
        return frozenset(kinds)

    def identifier_rules(self) -> IdentifierRules:
        """How it reads identifiers; also where its plugins were not read."""
        given = [getattr(use.settings, "keys", None) or use.table.get("keys", ()) for use in self.slots]
        order = next((tuple(keys) for keys in given if keys), ())
        return IdentifierRules(order=order, country=self.country, countries=self.countries)
