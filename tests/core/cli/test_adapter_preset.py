"""`tillpost adapter preset`: what it prints is a configuration, and reads what the preset reads."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

import tillpost_table
from tillpost.cli import cli
from tillpost.errors import ConfigurationError, UsageError

SAMPLES = Path(tillpost_table.__file__).parent / "samples" / "presets"
PRESETS = sorted(path.stem for path in SAMPLES.glob("*.toml"))
PIPELINE = """
[pipelines.shop]
source = {{ use = "folder", path = "inbox" }}
resolve = {{ use = "known" }}
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "https://engage.test", api_key = {{ file = "key" }} }}
{adapter}
"""


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, list(map(str, words)))


def beside(preset: str) -> list[str]:
    """What the preset's own sample is read with, as arguments."""
    given = tomllib.loads((SAMPLES / f"{preset}.toml").read_text(encoding="utf-8"))
    words = []
    for key, value in given.items():
        pairs = {f"{key}.{name}": each for name, each in value.items()} if isinstance(value, dict) else {key: value}
        words += [f"--set={name}={json.dumps(each)}" for name, each in pairs.items() if name != "preset"]
    return words


def read(call: Any, preset: str, *words: str) -> Any:
    told = json.loads(call("adapter", "try", "table", SAMPLES / f"{preset}.csv", *words, "--json").stdout)
    assert told["receipts"]
    return told


@pytest.mark.parametrize("preset", PRESETS)
def test_what_is_printed_can_be_pasted_and_reads_the_same(call: Any, tmp_path: Path, preset: str) -> None:
    named = read(call, preset, f"--set=preset={preset}", *beside(preset))
    printed = call("adapter", "preset", "table", preset, *beside(preset)).stdout
    (tmp_path / "inbox").mkdir()
    (tmp_path / "key").write_text("made-up")
    (tmp_path / "key").chmod(0o600)
    (tmp_path / "tillpost.toml").write_text(PIPELINE.format(adapter=printed), encoding="utf-8")
    assert "preset =" not in printed
    checked = call("check", "--offline")
    assert checked.exit_code == 0, checked.output
    assert read(call, preset, "--pipeline", "shop") == named


@pytest.mark.parametrize("preset", PRESETS)
def test_without_settings_it_is_the_preset_with_what_is_missing_in_its_comments(call: Any, preset: str) -> None:
    printed = call("adapter", "preset", "table", preset, "--pipeline", "a b").stdout
    table = tomllib.loads(printed)["pipelines"]["a b"]["adapter"]
    assert table.pop("use") == "table"
    assert table == tomllib.loads(tillpost_table.plugin.presets()[preset])  # type: ignore[misc]
    assert "# To be set beside it: timezone" in printed
    told = json.loads(call("adapter", "preset", "table", preset, "--pipeline", "a b", "--json").stdout)
    assert (told["settings"], told["toml"]) == (table, printed.removesuffix("\n"))


def test_all_are_listed_with_what_each_is_for(call: Any) -> None:
    listed = json.loads(call("adapter", "preset", "table", "--json").stdout)["presets"]
    assert [each["preset"] for each in listed] == PRESETS
    shown = call("adapter", "preset", "table").stdout
    assert all(each["of"] in shown and each["of"][:1].isupper() for each in listed)


def test_what_is_laid_over_replaces_and_leaves_out(call: Any) -> None:
    words = ("--set", "timezone=Europe/Oslo", "--set", "constants.currency=NOK", "--set", "columns.till=")
    told = json.loads(call("adapter", "preset", "table", "loyverse", *words, "--json").stdout)
    settings = told["settings"]
    assert (settings["timezone"], settings["constants"]) == ("Europe/Oslo", {"currency": "NOK"})
    assert "till" not in settings["columns"]
    assert "format" not in settings  # the adapter's default


def test_mistakes_are_told_with_the_next_step(call: Any) -> None:
    def error(*words: str) -> BaseException | None:
        return call("adapter", "preset", *words).exception  # type: ignore[no-any-return]

    for words, said in (
        (("table", "loyvers"), 'Did you mean "loyverse"?'),
        (("poslog",), "poslog has no presets; `tillpost adapter preset table` lists"),
        (("table", "--set", "tax=included"), "name it behind the adapter"),
    ):
        assert isinstance(caught := error(*words), UsageError)
        assert said in str(caught)
    missing = error("table", "loyverse", "--set", "constants.currency=NOK")
    assert isinstance(missing, ConfigurationError)
    assert "Give it with `--set timezone=…`" in str(missing)
