from __future__ import annotations

from datetime import timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Secret
from tillpost.compose.settings import SettingsReader
from tillpost.compose.toml_lines import read_toml
from tillpost.compose.values import show
from tillpost.errors import Finding


@attrs.frozen(kw_only=True)
class Window:
    start: str
    days: tuple[int, ...] = ()


def _even(_: Any, field: attrs.Attribute[Any], value: int) -> None:
    if value % 2:
        raise ValueError(f"{field.name} must be even")


@attrs.frozen(kw_only=True)
class Everything:
    number: Decimal | None = None
    rate: float = 1.0
    wait: timedelta = timedelta(0)
    folder: Path = Path("out")
    key: Secret | None = None
    names: dict[str, str] = attrs.field(factory=dict)
    windows: tuple[Window, ...] = ()
    pair: tuple[str, int] = ("", 0)
    window: Window | None = None
    even: int = attrs.field(default=0, validator=_even)
    other: int = attrs.field(default=0, validator=attrs.validators.le(5))
    anything: int | str | None = None


def _read(folder: Path, text: str) -> tuple[Everything | None, list[Finding]]:
    file = folder / "a.toml"
    file.write_text(text, encoding="utf-8")
    table, lines = read_toml(file, "a.toml")
    reader = SettingsReader("a.toml", folder, lines)
    return reader.read(table, Everything, ()), reader.findings


@pytest.mark.parametrize(
    ("text", "name", "value"),
    [
        ("number = 0.10", "number", Decimal("0.10")),
        ('number = "12.345678901234567890123"', "number", Decimal("12.345678901234567890123")),
        ("rate = 50", "rate", 50.0),
        ('wait = "500ms"', "wait", timedelta(milliseconds=500)),
        ('wait = "1.5s"', "wait", timedelta(seconds=1.5)),
        ('wait = "15m"', "wait", timedelta(minutes=15)),
        ('wait = "2h"', "wait", timedelta(hours=2)),
        ('wait = "90d"', "wait", timedelta(days=90)),
        ('names = { "å b" = "x" }', "names", {"å b": "x"}),
        ('windows = [ { start = "1", days = [1, 2] } ]', "windows", (Window(start="1", days=(1, 2)),)),
        ('pair = ["a", 1]', "pair", ("a", 1)),
        ('[window]\nstart = "x"', "window", Window(start="x")),
    ],
)
def test_a_value_becomes_its_type(tmp_path: Path, text: str, name: str, value: object) -> None:
    made, findings = _read(tmp_path, text)
    assert findings == []
    assert getattr(made, name) == value


def test_paths_are_absolute_against_the_folder_of_the_file_defaults_too(tmp_path: Path) -> None:
    assert getattr(_read(tmp_path, 'folder = "a/b"')[0], "folder", None) == tmp_path / "a" / "b"
    assert getattr(_read(tmp_path, "")[0], "folder", None) == tmp_path / "out"
    assert getattr(_read(tmp_path, 'folder = "/x"')[0], "folder", None) == Path("/x")


@pytest.mark.parametrize(
    ("text", "line", "key", "said"),
    [
        ("\nnumber = true", 2, "number", "must be a number, and is true"),
        ("number = nan", 1, "number", "must be a number, and is NaN"),
        ('number = "x"', 1, "number", "must be a number"),
        ("rate = inf", 1, "rate", "must be a number"),
        ('rate = "5"', 1, "rate", "must be a number"),
        ("wait = 5", 1, "wait", 'must be a duration such as "30s" or "15m", and is 5'),
        ('wait = "5 minutes"', 1, "wait", "must be a duration"),
        ('wait = "99999999999d"', 1, "wait", "must be a shorter duration"),
        ('folder = ""', 1, "folder", "must be a path"),
        ('folder = "a\\u0000b"', 1, "folder", "must be a path"),
        ('names = ["a"]', 1, "names", "must be a table, and is a list"),
        ("names = { a = 1 }", 1, "names.a", "must be text, and is 1"),
        ('windows = { start = "x" }', 1, "windows", "must be a list, and is a table"),
        ('windows = [ { start = "x" },\n {} ]', 2, "windows[1].start", "is missing"),
        ('windows = [ { start = "x",\n days = [1, true] } ]'.replace("\n", ""), 1, "windows[0].days[1]", "and is true"),
        ('[[windows]]\nstart = "x"\nstrat = 1', 3, "windows[0].strat", 'Did you mean "start"?'),
        ('pair = ["a"]', 1, "pair", "must have 2 items, and has 1"),
        ("window = 3", 1, "window", "must be a table, and is 3"),
        ("even = 3", 1, "even", "must be even, and is 3"),
        ("other = 6", 1, "other", "'other' must be <= 5: 6"),
        ("anything = 3", 1, "anything", "declares a type no configuration has"),
        ('key = { env = "" }', 1, "key", "env must name a variable"),
        ('key = { evn = "X" }', 1, "key", "must be a secret from a variable or a file"),
        ('key = { file = "none" }', 1, "key", "cannot be read: No such file or directory"),
        ("key = 5", 1, "key", "must be a secret from a variable or a file"),
    ],
)
def test_a_value_that_does_not_fit_is_told_with_its_place(
    tmp_path: Path, text: str, line: int, key: str, said: str
) -> None:
    made, findings = _read(tmp_path, text)
    assert made is None
    (finding,) = findings
    assert (finding.line, finding.key) == (line, key)
    assert said in str(finding)


def test_validators_of_all_fields_are_asked_not_only_the_first(tmp_path: Path) -> None:
    _, findings = _read(tmp_path, "even = 3\nother = 9\nrate = true")
    assert {finding.key for finding in findings} == {"even", "other", "rate"}


def test_a_secret_comes_stripped_from_a_file_and_shows_its_value_nowhere(tmp_path: Path) -> None:
    (tmp_path / "key").write_text("hunter2\n", encoding="utf-8")
    made, findings = _read(tmp_path, 'key = { file = "key" }')
    assert made is not None
    assert made.key is not None
    assert made.key.reveal() == "hunter2"
    assert "hunter2" not in repr(made) + str(findings)
    assert made.key.origin == f"file {tmp_path / 'key'}"


def test_a_secret_comes_from_the_environment(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TRIAL_KEY", "")
    _, (finding,) = _read(tmp_path, 'key = { env = "TRIAL_KEY" }')
    assert "TRIAL_KEY is empty" in finding.message
    monkeypatch.setenv("TRIAL_KEY", "k")
    made, _ = _read(tmp_path, 'key = { env = "TRIAL_KEY" }')
    assert made is not None
    assert made.key == Secret("k")


def test_a_validator_that_names_its_key_does_not_repeat_it(tmp_path: Path) -> None:
    _, (finding,) = _read(tmp_path, "even = 3")
    assert str(finding).startswith("a.toml:1: error: even: must be even, and is 3.")


@pytest.mark.parametrize(
    "written",
    [
        "https://shop:hunter2@example.com/x",
        "sftp://hunter2@host",
        "see https://a:hunter2@b.se?x=1",
        "//hunter2:@[::1]/",
    ],
)
def test_what_stands_before_the_host_of_an_address_is_shown_nowhere(written: str) -> None:
    """An address that is refused as a value of a setting was shown with its password."""
    assert "hunter2" not in show(written)
    assert "//…@" in show(written)


@pytest.mark.parametrize("written", ["https://example.com/@eva", "eva@example.se", "a//b c@d"])
def test_other_values_are_shown_as_they_are(written: str) -> None:
    assert show(written) == f'"{written}"'
