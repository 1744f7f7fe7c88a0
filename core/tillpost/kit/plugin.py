"""The plugin of an adapter: one function that reads a document, and its settings."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from typing import Any, TypeVar

import attrs

from tillpost.hookspecs import hookimpl
from tillpost.model.document import Document, Parsed
from tillpost.model.identity import MakeId
from tillpost.plugin import Plugin, check_call, simple

Settings = TypeVar("Settings")


@attrs.frozen
class _Adapter:
    parse: Callable[[Document, Any, MakeId], Iterable[Parsed]]
    settings: Any
    make_id: MakeId

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterable[Parsed]:
        return self.parse(document, self.settings, self.make_id)


def adapter(
    parse: Callable[[Document, Settings, MakeId], Iterable[Parsed]],
    settings: type[Settings],
    description: str,
    *,
    capabilities: Iterable[str] = (),
    recognise: Callable[[Document, Settings], str] | None = None,
    presets: Callable[[], Mapping[str, str]] | None = None,
) -> Plugin:
    """The plugin of an adapter, to be named by an entry point of the group `tillpost.plugins`.

    parse: called once a document as `parse(document, settings, make_id)`; yields every record as Found, NoReceipt or
    Broken (see the hook `parse_receipts`). `make_id` is `Context.receipt_id`.
    settings: the attrs class of the adapter's table in the configuration. description: one line for `tillpost plugins`.
    capabilities: what the format has, of `tillpost.plugin.CAPABILITIES`. Raises InvalidValue for any other word, and
    for functions of other arguments.
    recognise: what the document is taken for, as a phrase of dialect and version ("NCR, POSLog 6.0"), which
    `tillpost adapter try` shows; "" where none is recognised. It opens the document by itself.
    presets: returns what the setting `preset` may be, each with its settings as TOML (see `Plugin.presets`).
    """
    check_call("parse", parse, "document", "settings", "make_id")
    return simple(
        description,
        "adapter",
        settings,
        lambda given, context: _Adapter(parse, given, context.receipt_id),
        capabilities,
        recognise,
        presets,
    )
