from __future__ import annotations

import tomllib
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tillpost.compose.toml_lines import KeyPath, key_text, read_toml
from tillpost.errors import ConfigurationError

TEXT = '''\
# a comment with [brackets] and "quotes"
title = "x # no comment" # a comment
[a.b]
"quoted key" = 1
'li.teral'.dotted = 2

long = """
[not.a.table]
\\""" key = 1
"""
raw = \'\'\'
# no comment\'\'\'\'
items = [
  1, # one ]
  { x = 1, y = [ "],}", 2 ] },
  1979-05-27 07:32:00,
]
[[fruit]]
name = "apple"
[fruit.physical]
colour = "red"
[[fruit.kinds]]
name = "first"
[[fruit.kinds]]
name = "second"
[[fruit]]
[fruit.physical]
[z]
deep.er = { "in.line".x = true }
'''

EXPECTED: dict[KeyPath, int] = {
    ("title",): 2,
    ("a",): 3,
    ("a", "b"): 3,
    ("a", "b", "quoted key"): 4,
    ("a", "b", "li.teral"): 5,
    ("a", "b", "li.teral", "dotted"): 5,
    ("a", "b", "long"): 7,
    ("a", "b", "raw"): 11,
    ("a", "b", "items"): 13,
    ("a", "b", "items", 0): 14,
    ("a", "b", "items", 1): 15,
    ("a", "b", "items", 1, "x"): 15,
    ("a", "b", "items", 1, "y"): 15,
    ("a", "b", "items", 1, "y", 0): 15,
    ("a", "b", "items", 1, "y", 1): 15,
    ("a", "b", "items", 2): 16,
    ("fruit",): 18,
    ("fruit", 0): 18,
    ("fruit", 0, "name"): 19,
    ("fruit", 0, "physical"): 20,
    ("fruit", 0, "physical", "colour"): 21,
    ("fruit", 0, "kinds"): 22,
    ("fruit", 0, "kinds", 0): 22,
    ("fruit", 0, "kinds", 0, "name"): 23,
    ("fruit", 0, "kinds", 1): 24,
    ("fruit", 0, "kinds", 1, "name"): 25,
    ("fruit", 1): 26,
    ("fruit", 1, "physical"): 27,
    ("z",): 28,
    ("z", "deep"): 29,
    ("z", "deep", "er"): 29,
    ("z", "deep", "er", "in.line"): 29,
    ("z", "deep", "er", "in.line", "x"): 29,
}


def _paths(value: Any, path: KeyPath = ()) -> set[KeyPath]:
    steps = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    return {path}.union(*(_paths(item, (*path, step)) for step, item in steps))


@pytest.mark.parametrize("ending", ["\n", "\r\n"])
def test_every_key_has_its_line(tmp_path: Path, ending: str) -> None:
    file = tmp_path / "a.toml"
    file.write_bytes(TEXT.replace("\n", ending).encode())
    values, lines = read_toml(file, "a.toml")
    assert dict(lines.by_path) == EXPECTED
    assert _paths(values) - {()} == set(EXPECTED)


_KEYS = st.sampled_from(["a", "b-1", '"c d"', "'e.f'", "g . h", '"q\\"x"'])
_SCALARS = st.sampled_from(['"s"', "'l#'", "1", "-2.5", "true", "07:32:00", '"""m\n"""', "'''\n]'''", "1_000", "inf"])
_VALUES = st.recursive(
    _SCALARS,
    lambda inner: (
        st.lists(inner, max_size=3).map(lambda items: "[\n" + ", # c\n".join(items) + "\n]")
        | st.dictionaries(st.sampled_from(["a", '"b"', "'c'"]), inner, max_size=3).map(
            lambda pairs: "{" + ", ".join(f"{key} = {value}" for key, value in pairs.items()) + "}"
        )
    ),
    max_leaves=6,
)
_STATEMENTS = st.one_of(
    st.tuples(_KEYS, _VALUES).map(" = ".join),
    _KEYS.map(lambda key: f"[ {key} ]"),
    _KEYS.map(lambda key: f"[[{key}]] # c"),
    st.just("# [x]"),
)


@given(st.lists(_STATEMENTS, max_size=8))
def test_what_tomllib_reads_the_scanner_finds_key_by_key(
    tmp_path_factory: pytest.TempPathFactory, parts: list[str]
) -> None:
    kept: list[str] = []
    for part in parts:
        try:
            tomllib.loads("\n".join([*kept, part]))
        except tomllib.TOMLDecodeError:
            continue
        kept.append(part)
    file = tmp_path_factory.getbasetemp() / "made.toml"
    file.write_text("\n".join(kept), encoding="utf-8")
    values, lines = read_toml(file, "made.toml")
    assert _paths(values) - {()} == set(lines.by_path)


@pytest.mark.parametrize(
    ("content", "line", "said"),
    [
        (b"a = 1\nb = \n", 2, "is not TOML: Invalid value"),
        (b"a = 1\na = 2\n", 2, "Cannot overwrite a value"),
        (b"a = 1\n\nb = [1,\n", 4, "is not TOML"),
        (b"a = 1\nb = '\xe5'\n", 2, "is not UTF-8"),
        (b"a = " + b"[" * 100_000, 0, "nested too deep"),
        (b"a = 1\nb = " + b"9" * 5000, 2, "is not TOML"),
    ],
)
def test_what_is_no_toml_is_told_with_its_line(tmp_path: Path, content: bytes, line: int, said: str) -> None:
    file = tmp_path / "bad.toml"
    file.write_bytes(content)
    with pytest.raises(ConfigurationError) as caught:
        read_toml(file, "bad.toml")
    (finding,) = caught.value.findings
    assert (finding.file, finding.line) == ("bad.toml", line)
    assert said in finding.message


def test_a_path_is_written_as_people_point_at_it() -> None:
    assert key_text(("pipelines", "stores", "resolve", 1, "a key")) == 'pipelines.stores.resolve[1]."a key"'
