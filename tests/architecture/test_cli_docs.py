"""docs/cli.md has every command with its options, and the examples of every --help can be typed."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import click
import pytest

from tillpost.cli import cli

DOCS = Path(__file__).parents[2] / "docs"


def _commands(command: click.Command, words: tuple[str, ...]) -> Iterator[tuple[str, click.Command]]:
    yield " ".join(words), command
    if isinstance(command, click.Group):
        context = click.Context(command)
        for name in command.list_commands(context):
            found = command.get_command(context, name)
            assert found is not None, name
            yield from _commands(found, (*words, name))


COMMANDS = dict(_commands(cli, ("tillpost",)))


def _sections() -> dict[str, str]:
    text = (DOCS / "cli.md").read_text(encoding="utf-8")
    return dict(re.findall(r"^## `(tillpost[^`]*)`$(.*?)(?=^## |\Z)", text, re.M | re.S))


def test_every_command_has_its_heading_and_no_heading_is_left_over() -> None:
    assert list(_sections()) == list(COMMANDS)


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_is_documented_with_every_option_and_no_other(name: str) -> None:
    options = {text for each in COMMANDS[name].params if isinstance(each, click.Option) for text in each.opts}
    written = set(re.findall(r"(?<![\w-])--?[a-z][a-z-]*", "\n".join(re.findall(r"`([^`\n]+)`", _sections()[name]))))
    general = {"--help", "-h"}
    assert options <= written
    assert written <= options | general


def _examples(help_text: str) -> list[str]:
    return [
        part.strip()
        for line in help_text.splitlines()
        if line.strip().startswith("tillpost ")
        for part in line.split("&&")
    ]


@pytest.mark.parametrize("name", COMMANDS)
def test_the_help_of_a_command_has_an_example_of_it(name: str) -> None:
    command = COMMANDS[name]
    text = command.get_help(click.Context(command, info_name=name))
    words = name.split()
    assert any(_without_options(example)[: len(words)] == words for example in _examples(text)), text


def _without_options(example: str) -> list[str]:
    return re.sub(r" --config \S+", "", example).split()


def _parse(example: str) -> None:
    """Let click read the line down to the command that would run. Raises ClickException for what it does not know."""
    words = shlex.split(example)
    assert words.pop(0) == "tillpost"
    command: click.Command = cli
    context = click.Context(cli, info_name="tillpost")
    while isinstance(command, click.Group):
        rest = command.make_parser(context).parse_args(words)[1]
        if not rest and command.invoke_without_command:
            command.make_context(command.name, words).close()
            return
        name, found, words = command.resolve_command(context, rest)
        assert found is not None, example
        context = click.Context(found, parent=context, info_name=name)
        command = found
    command.make_context(command.name, words).close()


def _all_examples() -> list[str]:
    pages = [*DOCS.rglob("*.md"), DOCS.parent / "README.md"]
    fenced = [
        block for page in pages for block in re.findall(r"^```(?:sh|console)\n(.*?)^```", page.read_text(), re.M | re.S)
    ]
    in_docs = [line.removeprefix("$ ").split("  #")[0] for block in fenced for line in block.splitlines()]
    in_help = [command.get_help(click.Context(command, info_name=name)) for name, command in COMMANDS.items()]
    return sorted({example for text in ["\n".join(in_docs), *in_help] for example in _examples(text)})


@pytest.mark.parametrize("example", _all_examples())
def test_an_example_in_help_or_docs_can_be_typed(example: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    for word in shlex.split(example):
        if word.endswith((".xml", ".jsonl", ".json", ".csv")):  # files an example names must exist to be taken
            Path(word).parent.mkdir(parents=True, exist_ok=True)
            Path(word).touch()
    _parse(example)


@pytest.mark.parametrize(
    "wrong", ["tillpost fly", "tillpost run --until-idel", "tillpost held list x", "tillpost -x run"]
)
def test_a_wrong_example_would_be_found(wrong: str) -> None:
    with pytest.raises(click.ClickException):
        _parse(wrong)
