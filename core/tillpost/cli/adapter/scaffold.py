"""`tillpost adapter new NAME`: a distribution of a vendor's own, to be filled in."""

from __future__ import annotations

import re
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path

import click

from tillpost.compose.plugins import GROUP
from tillpost.errors import UsageError

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")


@click.command("new")
@click.argument("name")
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write it; default tillpost-NAME here.",
)
def command(name: str, folder: Path | None) -> None:
    """Write a distribution for the adapter of one till, with a promise suite that lists what is to do.

    A folder with files is never written to.

    \b
    Example:
      tillpost adapter new mytill
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a plugin name: use a-z and 0-9, in words joined by -, such as mytill")
    if any(point.name == name for point in entry_points(group=GROUP)):
        raise UsageError(f"a plugin named {name} is installed already; `tillpost plugins` lists them")
    words = {
        "__NAME__": name,
        "__DIST__": f"tillpost-{name}",
        "__PACKAGE__": f"tillpost_{name.replace('-', '_')}",
        "__CLASS__": "".join(word.capitalize() for word in name.split("-")),
    }
    target = folder or Path(words["__DIST__"])
    if target.exists() and any(target.iterdir()):
        raise UsageError(f"{target} exists and is not empty; name another folder with --dir")
    _write(files("tillpost.cli.adapter") / "template", target, words)
    click.echo(f"{target} written. Next:")
    click.echo(f"  cd {target} && python3 -m venv .venv && .venv/bin/pip install -e '.[test]'")
    click.echo(f"  .venv/bin/tillpost adapter test {name}")


def _write(source: Traversable, target: Path, words: dict[str, str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in source.iterdir():
        name = words["__PACKAGE__"] if each.name == "package" else each.name.removesuffix(".template")
        if each.is_dir():
            _write(each, target / name, words)
        else:
            text = each.read_text(encoding="utf-8")
            for mark, word in words.items():
                text = text.replace(mark, word)
            (target / name).write_text(text, encoding="utf-8")
