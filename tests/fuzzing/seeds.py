"""Where fuzzing begins: every adapter that comes along, with its samples, and real exports where they are beside."""

from __future__ import annotations

import importlib
import tomllib
from collections.abc import Iterator
from functools import cache
from pathlib import Path
from typing import Any

import attrs

from tests.support.adapter import build, settings
from tests.support.exports import FOLDER as EXPORTS
from tests.support.matrix import adapters, suite
from tillpost import DocumentError
from tillpost.compose.plugins import load_plugin
from tillpost.model import Document, Found, Parsed

TESTS = Path(__file__).parents[1]
CORPUS = Path(__file__).parent / "corpus"
LARGEST = 40_000
"""Bytes of a seed: a larger one has nothing that a smaller one has not, and costs what many of those cost."""
MORE = {"shopify": {"store": "web"}}
"""Settings without which some samples are only held."""
_EXPORTS = {
    "digital-receipt": "arts-digital-receipt-se",
    "poslog": "poslog-ncr-acs",
    "saft-cash": "saf-t-cash-register-no",
    "shopify": "shopify",
    "square": "square",
    "zettle": "zettle",
}
_SUFFIXES = (".json", ".jsonl", ".xml", ".csv", ".tsv", ".txt", ".zip", ".xlsx", ".gz")


@attrs.frozen(eq=False)
class Target:
    """An adapter, built once with its settings."""

    name: str
    settings: str
    adapter: Any = attrs.field(repr=False)

    def read(self, content: bytes, name: str = "fuzz") -> list[Parsed]:
        """All records of a document. Raises what the adapter raises."""
        return list(self.adapter.parse_receipts(Document.from_bytes(name, content)))


@attrs.frozen(eq=False)
class Seed:
    """A document to change, and what a person is known by in it, which no message may show."""

    target: Target
    label: str
    content: bytes = attrs.field(repr=False)
    form: str
    canaries: frozenset[str] = attrs.field(default=frozenset(), repr=False)


@cache
def _target(name: str, table: str) -> Target:
    plugin, given = load_plugin(name), tomllib.loads(table)
    return Target(name, table, build(plugin, **settings(plugin, given, Path.cwd())))


def target(name: str, given: dict[str, Any]) -> Target:
    """The adapter with these settings, as a configuration would write them; the same object for the same settings."""
    return _target(name, _toml(given))


def _toml(given: dict[str, Any]) -> str:
    def value(part: Any) -> str:
        if isinstance(part, dict):
            return "{" + ", ".join(f"{_key(key)} = {value(item)}" for key, item in part.items()) + "}"
        if isinstance(part, list | tuple):
            return "[" + ", ".join(map(value, part)) + "]"
        return str(part).lower() if isinstance(part, bool) else str(part) if isinstance(part, int) else _key(str(part))

    return "\n".join(f"{_key(key)} = {value(item)}" for key, item in given.items())


def _key(text: str) -> str:
    escapes = {'"': '\\"', "\\": "\\\\", "\t": "\\t", "\n": "\\n"}
    return '"' + "".join(escapes.get(character, character) for character in text) + '"'


def form_of(content: bytes) -> str:
    """What a document is: "json", "xml", "table" or "bytes"."""
    begin = content.removeprefix(b"\xef\xbb\xbf").lstrip()[:1]
    if begin in (b"{", b"["):
        return "json"
    if begin == b"<":
        return "xml"
    return "bytes" if b"\x00" in content[:200] or begin in (b"\x1f", b"P") else "table"


def seeds(names: list[str] | None = None, *, exports: bool = True) -> list[Seed]:
    """The documents of these adapters, or of all."""
    found: list[Seed] = []
    for name in names or adapters():
        found += _of_adapter(name, exports)
    return found


def _of_adapter(name: str, exports: bool) -> Iterator[Seed]:
    own = suite(name)()
    folder = Path(str(importlib.import_module(type(own).__module__).__file__)).parent / "samples"
    general = {**own.settings, **MORE.get(name, {})}
    for path in sorted(folder.rglob("*")):
        if path.is_file() and path.suffix in _SUFFIXES and path.stat().st_size <= LARGEST:
            promise = path.parent == (own.samples or folder) and path.stem in own.promises()
            given = dict(own.settings_for(path.stem)) if promise else _beside(path, name) or general
            yield _seed(name, given, path)
    package = f"tillpost_{name.replace('-', '_')}"
    for beside in (TESTS / "plugins" / package / "readings", CORPUS / name):
        for path in sorted(beside.rglob("*")) if beside.is_dir() else ():
            if path.is_file() and path.suffix in _SUFFIXES and path.stat().st_size <= LARGEST:
                yield _seed(name, _beside(path, name) or general, path)
    if exports and name in _EXPORTS:
        for path in sorted((EXPORTS / _EXPORTS[name]).glob("*")):
            if path.suffix in _SUFFIXES and path.stat().st_size <= LARGEST:
                yield _seed(name, general, path)


def _beside(path: Path, name: str) -> dict[str, Any]:
    """The settings in the TOML file beside a sample."""
    file = path.with_suffix(".toml")
    if not file.exists():
        return {}
    given: Any = tomllib.loads(file.read_text(encoding="utf-8"))
    known = {field.name for field in attrs.fields(load_plugin(name).slots["adapter"])}
    while given and not given.keys() & known:
        given = next(iter(given.values()))
    return {key: value for key, value in given.items() if key in known}


def _seed(name: str, given: dict[str, Any], path: Path) -> Seed:
    content = path.read_bytes()
    aim, form = target(name, given), form_of(path.read_bytes())
    known = _people(aim, content)
    if form != "bytes":
        for text in sorted(known, key=len, reverse=True):
            marked = content.replace(text.encode(), f"kanarie{text}".encode())
            if _people(aim, marked) >= {f"kanarie{text}"}:
                content = marked
        known = {text for text in _people(aim, content) if text.startswith("kanarie")}
    return Seed(aim, f"{name}/{path.name}", content, form, frozenset(known))


def _people(aim: Target, content: bytes) -> set[str]:
    """What the customers of a document are known by: texts that cannot stand in it for something else."""
    try:
        records = aim.read(content)
    except DocumentError:
        return set()
    customers = [record.receipt.customer for record in records if isinstance(record, Found)]
    texts = {
        text
        for customer in customers
        if customer is not None
        for text in (*(each.value for each in customer.identifiers), *customer.attributes.values())
    }
    return {text for text in texts if len(text) >= 4 and any(character.isalpha() for character in text)}
