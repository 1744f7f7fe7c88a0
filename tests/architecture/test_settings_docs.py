"""docs/config.md has every key: the core's, the pipeline's, and the settings of every bundled plugin with defaults."""

from __future__ import annotations

import re
from datetime import timedelta
from importlib.metadata import entry_points
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import attrs
import pytest

from tillpost.compose.alert_settings import RULES, AlertSettings, Email, Silence, Webhook
from tillpost.compose.config import POLICIES, load
from tillpost.compose.plugins import load_plugin
from tillpost.compose.values import duration
from tillpost.plugin import SLOTS

ROOT = Path(__file__).parents[2]
PAGE = ROOT / "docs" / "config.md"
BUNDLED = sorted(
    point.name for point in entry_points(group="tillpost.plugins") if point.dist and point.dist.name == "tillpost"
)


def _rows(heading: str) -> dict[str, list[str]]:
    text = PAGE.read_text(encoding="utf-8")
    section = re.search(rf"^#+ {re.escape(heading)}$(.*?)(?=^#|\Z)", text, re.M | re.S)
    assert section is not None, f"docs/config.md has no heading {heading}"
    rows = [line.strip("|").split("|") for line in section[1].splitlines() if line.startswith("| `")]
    return {row[0].strip().strip("`"): [cell.strip() for cell in row] for row in rows}


def test_the_bundled_plugins_are_those_of_the_project() -> None:
    assert {"engage", "folder", "known", "poslog", "sftp"} <= set(BUNDLED)


@pytest.mark.parametrize("slot", POLICIES)
def test_every_key_of_the_core_is_named(slot: str) -> None:
    assert set(_rows(f"`{slot}`")) == {field.name for field in attrs.fields(POLICIES[slot])}


@pytest.mark.parametrize(
    "key", ["state", "receipt_id", "anonymous", "workers", "unknown_contact", "keep", "guard", "guard_first", *SLOTS]
)
def test_every_key_of_a_pipeline_is_named(key: str) -> None:
    assert key in _rows("`[pipelines.NAME]`") | _rows("Slots")


def test_those_are_all_the_keys_a_pipeline_takes(tmp_path: Path) -> None:
    file = tmp_path / "tillpost.toml"
    file.write_text("[pipelines.shop]\nzzz = 1\n")
    with pytest.raises(Exception, match="zzz") as caught:
        load(file, plugins=False)
    assert "pipelines.shop.zzz" in str(caught.value)


def _written(default: Any) -> str:
    """A default as the page writes it."""
    if default is attrs.NOTHING:
        return "needed"
    if isinstance(default, attrs.Factory):  # type: ignore[arg-type]
        default = default.factory()
    if default is None or default in ({}, ()):
        return "none"
    if isinstance(default, bool):
        return f"`{str(default).lower()}`"
    if isinstance(default, tuple):
        return "`[" + ", ".join(f'"{each}"' for each in default) + "]`"
    return f'`"{default}"`' if isinstance(default, str | ZoneInfo) else f"`{default}`"


@pytest.mark.parametrize("name", BUNDLED)
def test_every_setting_of_a_bundled_plugin_stands_with_its_default(name: str) -> None:
    for slot, settings in load_plugin(name).slots.items():
        rows = _rows(f"`{name}` in `{slot}`")
        fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(settings)
        assert list(rows) == [field.name for field in fields]
        for field in fields:
            cell = rows[field.name][2]
            if isinstance(field.default, timedelta):
                assert duration(cell.strip('`"')) == field.default, field.name
            else:
                assert cell == _written(field.default), field.name


def test_every_key_of_alerts_stands_with_its_default_and_every_rule_is_named() -> None:
    rows = _rows("`[alerts]`")
    fields: tuple[attrs.Attribute[Any], ...] = attrs.fields(AlertSettings)
    assert list(rows) == [field.name for field in fields]
    for field in fields:
        cell = rows[field.name][2]
        if isinstance(field.default, timedelta):
            assert duration(cell.strip('`"')) == field.default, field.name
        else:
            assert cell == _written(field.default), field.name
    for kind, key in ((Silence, "silence"), (Webhook, "webhook"), (Email, "email")):
        assert all(f"`{field.name}`" in rows[key][3] for field in attrs.fields(kind)), key
    assert all(f"`{rule}`" in rows["off"][3] for rule in RULES)
