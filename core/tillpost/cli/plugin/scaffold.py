"""`tillpost plugin new NAME`: a distribution of a vendor's own, which runs and is to be changed."""

from __future__ import annotations

import re
import shlex
import shutil
import socket
import sys
import tomllib
from collections.abc import Mapping
from importlib.metadata import entry_points
from importlib.resources import files
from importlib.resources.abc import Traversable
from pathlib import Path
from typing import Any

import click

from tillpost.cli.plugin.origin import origin
from tillpost.compose.plugins import GROUP
from tillpost.errors import UsageError
from tillpost.plugin import SLOTS
from tillpost.version import __version__

_NAME = re.compile(r"[a-z][a-z0-9]*(-[a-z0-9]+)*")
_PORT = 8080
"""Of the sandbox in what is written, unless something else listens there."""
_PIPELINE = {
    "adapter": '{ use = "receipts" }',
    "resolve": '[ { use = "engage" } ]',
    "map": '{ use = "engage" }',
    "transport": '{ use = "engage", url = "http://127.0.0.1:__PORT__", api_key = { file = "sandbox.key" } }',
}
"""The trial pipeline, but for the slot of the plugin."""
_SANDBOX = ".venv/bin/tillpost sandbox --http __PORT__ --sftp 0 --api-key sandbox --dir sandbox &"


@click.command("new")
@click.argument("name")
@click.option(
    "--slot",
    type=click.Choice(SLOTS),
    default="adapter",
    show_default=True,
    help="What the plugin is to do.",
)
@click.option(
    "--dir",
    "folder",
    type=click.Path(file_okay=False, path_type=Path),
    help="Where to write it; default tillpost-NAME here.",
)
def command(name: str, slot: str, folder: Path | None) -> None:
    """Write the distribution of a plugin: it is small, runs at once, and is yours to change.

    What is printed installs it, tests it, and runs it in a pipeline with a sandbox of Engage. A folder with files is
    never written to.

    \b
    Examples:
      tillpost plugin new mytill
      tillpost plugin new mybroker --slot source
    """
    if not _NAME.fullmatch(name):
        raise UsageError(f"{name!r} is not a plugin name: use a-z and 0-9, in words joined by -, such as mytill")
    if any(point.name == name for point in entry_points(group=GROUP)):
        raise UsageError(f"a plugin named {name} is installed already; `tillpost plugins` lists them")
    target = folder or Path(f"tillpost-{name}")
    if target.exists() and (not target.is_dir() or any(target.iterdir())):
        raise UsageError(f"{target} exists and is not an empty folder; name another one with --dir")
    template = files("tillpost.cli.plugin") / "template"
    about = tomllib.loads((template / slot / "slot.toml").read_text(encoding="utf-8"))
    source = origin()
    words = _words(name, about) | {"__WHENCE__": source.sentence, "__REQUIREMENT__": source.requirement}
    for part in ("common", slot):
        _write(template / part, target, words)
    click.echo(f"{target} written. Next:")
    steps = _filled("__STEPS__", words | {"python3 -m venv": f"{_python()} -m venv"})
    for step in (f"cd {shlex.quote(str(target))}", *steps.splitlines()):
        click.echo(f"  {step}")
    if source.missing:
        click.echo(
            f"tillpost: it was installed from {source.missing}, which is gone; write into"
            f" {target / 'requirements.txt'} where pip finds it, before the third line",
            err=True,
        )


def _words(name: str, about: Mapping[str, Any]) -> dict[str, str]:
    """What stands for each mark of the template, in the order in which it is put in: the first texts have marks."""
    package = f"tillpost_{name.replace('-', '_')}"
    pipeline = _PIPELINE | about.get("pipeline", {})
    slots = [slot for slot in SLOTS if slot in pipeline]
    steps = [
        "python3 -m venv .venv",
        ".venv/bin/pip install -q -r requirements.txt",
        ".venv/bin/pytest",
        ".venv/bin/tillpost plugin test __NAME__",
        ".venv/bin/tillpost check --offline",
        about.get("server", _SANDBOX),
        *about["run"],
        "kill $!",
    ]
    return {
        "__STEPS__": "\n".join(steps),
        "__PIPELINE__": "\n".join(f"{slot} = {pipeline[slot]}" for slot in slots),
        "__USE__": "\n".join(f"{slot} = {pipeline[slot]}" for slot in about["slots"]),
        "__SETTINGS__": "\n".join(f"| `{key}` | {default} | {text} |" for key, default, text in about["settings"]),
        "__SUMMARY__": about["summary"],
        "__ABOUT__": about["about"],
        "__INTRO__": about["intro"].strip(),
        "__FINISH__": about["finish"].strip(),
        "__PORT__": str(_free_port()),
        "__NAME__": name,
        "__DIST__": f"tillpost-{name}",
        "__PACKAGE__": package,
        "__CLASS__": "".join(word.capitalize() for word in name.split("-")),
        "__VERSION__": __version__,
    }


def _python() -> str:
    """The running Python as it is typed: `python3` where that is the same."""
    found = shutil.which("python3")
    return "python3" if found and Path(found).samefile(sys.executable) else shlex.quote(sys.executable)


def _free_port() -> int:
    """The usual port; another one where something listens there."""
    for port in (_PORT, 0):
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
            return int(probe.getsockname()[1])
    return _PORT


def _write(source: Traversable, target: Path, words: Mapping[str, str]) -> None:
    target.mkdir(parents=True, exist_ok=True)
    for each in source.iterdir():
        if each.name == "slot.toml":
            continue
        name = words["__PACKAGE__"] if each.name == "package" else each.name.removesuffix(".template")
        if each.is_dir():
            _write(each, target / name, words)
        else:
            (target / name).write_text(_filled(each.read_text(encoding="utf-8"), words), encoding="utf-8")


def _filled(text: str, words: Mapping[str, str]) -> str:
    for mark, word in words.items():
        text = text.replace(mark, word)
    return text
