"""docs/vendors/write-an-adapter.md: its snippets are the example's code, its commands run in test_outside.py."""

from __future__ import annotations

import re

import pytest

import tillpost.kit
import tillpost.kit.xml
from tests.vendors.guide import EXAMPLE, commands, snippets


@pytest.mark.parametrize(("path", "text"), snippets(), ids=lambda value: value.splitlines()[0][:40])
def test_a_snippet_is_the_code_of_the_example(path: str, text: str) -> None:
    assert text in (EXAMPLE / path).read_text(encoding="utf-8")


def test_every_snippet_of_code_says_where_it_is_from() -> None:
    page = (EXAMPLE.parent / "write-an-adapter.md").read_text(encoding="utf-8")
    assert len(snippets()) == len(re.findall(r"^```(?:python|toml)$", page, re.M)) >= 10


def test_the_commands_lead_from_nothing_to_a_report() -> None:
    run = commands()
    assert run[1] == "venv/bin/tillpost plugin new corner"
    assert run.index("tillpost plugin test corner") < len(run) - 1
    assert run[-1] == "tillpost plugin test corner --report report.md --junit report.xml"


def test_the_sentence_the_list_begins_with_is_the_suites_own() -> None:
    from tests.core.testing.till import SmallTillPromises

    class Empty(SmallTillPromises):
        def sample(self, promise: str) -> bytes | None:
            return None

    with pytest.raises(pytest.fail.Exception) as failure:
        Empty().test_return()
    page = (EXAMPLE.parent / "write-an-adapter.md").read_text(encoding="utf-8")
    [sentence] = re.findall(r"^(promise `return`: .*) …$", page, re.M)
    assert str(failure.value).startswith(sentence)


def test_every_public_name_of_the_kit_has_a_docstring_and_is_in_the_list_of_the_guide() -> None:
    page = (EXAMPLE.parent / "README.md").read_text(encoding="utf-8")
    listed = set(re.findall(r"`(\w+)(?:\([^`]*)?`", page))
    names = {name: getattr(tillpost.kit, name) for name in tillpost.kit.__all__}
    assert set(names) <= listed
    for name, value in (names | {name: getattr(tillpost.kit.xml, name) for name in tillpost.kit.xml.__all__}).items():
        assert not callable(value) or (value.__doc__ or "").strip(), name
