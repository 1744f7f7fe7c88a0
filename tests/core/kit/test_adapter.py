"""`adapter`: the plugin of an adapter, made of one function and its settings."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path

import attrs
import pytest

from tillpost.compose.standalone import standalone_hooks
from tillpost.kit import MakeId, adapter
from tillpost.model import Document, NoReceipt, Parsed


@attrs.frozen(kw_only=True)
class Settings:
    store: str


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    own = make_id(store=settings.store, till="2", business_date=date(2026, 3, 14), number="3")
    yield NoReceipt(reason="sign-on", place=document.name, retail=False, number=own)


def test_parse_gets_the_document_the_settings_and_ids_by_the_pipelines_recipe(tmp_path: Path) -> None:
    plugin = adapter(parse, Settings, "a till", capabilities=("taxes",))
    assert (plugin.summary, dict(plugin.slots), plugin.capabilities) == (
        "a till",
        {"adapter": Settings},
        frozenset({"taxes"}),
    )
    hooks = standalone_hooks("till", plugin, {"adapter": {"store": "1"}}, folder=tmp_path, recipe="{number}~{store}")
    [record] = hooks.parse_receipts(Document.from_bytes("day.txt", b"x"))
    assert record == NoReceipt(reason="sign-on", place="day.txt", retail=False, number="3~1")


def test_an_unknown_capability_is_refused() -> None:
    with pytest.raises(ValueError, match="not colours"):
        adapter(parse, Settings, "a till", capabilities=("colours",))


def test_an_adapter_may_say_what_it_takes_a_document_for() -> None:
    def recognise(document: Document, settings: Settings) -> str:
        return f"{document.name} of store {settings.store}"

    plugin = adapter(parse, Settings, "a till", recognise=recognise)
    assert plugin.recognise is not None
    assert plugin.recognise(Document.from_bytes("day.txt", b"x"), Settings(store="1")) == "day.txt of store 1"
    assert adapter(parse, Settings, "a till").recognise is None
