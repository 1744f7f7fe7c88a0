"""A campaign: documents changed and judged until the time or the count is over, and what was found."""

from __future__ import annotations

import copy
import csv
import itertools
import json
import random
import time
from collections import Counter
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import attrs
from lxml import etree

from tests.fuzzing import byte_changes, json_changes, table_changes, xml_changes
from tests.fuzzing.laws import Answer, Breach, ask, judge, neighbours
from tests.fuzzing.seeds import Seed, Target

DEEP = 4
"""One of so many documents is also read again."""


@attrs.frozen
class Finding:
    """A document that breaks a law."""

    seed: Seed
    breach: Breach
    content: bytes = attrs.field(repr=False)


@attrs.define
class Campaign:
    """Documents tried, what they gave, and one finding a breach and adapter."""

    tried: Counter[str] = attrs.field(factory=Counter)
    outcomes: Counter[str] = attrs.field(factory=Counter)
    findings: dict[tuple[str, str, str], Finding] = attrs.field(factory=dict)
    seconds: float = 0.0

    def add(self, seed: Seed, content: bytes, breach: Breach) -> None:
        """Keep the first, and of those the shortest, document of a breach."""
        key = seed.target.name, breach.law, breach.what
        known = self.findings.get(key)
        if known is None or len(content) < len(known.content):
            self.findings[key] = Finding(seed, breach, content)


class Changer:
    """Documents made of seeds. The same seed of chance gives the same documents."""

    def __init__(self, seeds: list[Seed], chance: random.Random) -> None:
        self.seeds, self.chance = seeds, chance
        self.by_target: dict[str, list[Seed]] = {}
        self.forms: dict[Seed, Any] = {}
        for seed in seeds:
            self.by_target.setdefault(seed.target.name, []).append(seed)
            self.forms[seed] = _parsed(seed)

    def grown(self, seed: Seed) -> bytes:
        """A document made of one that is no seed of this."""
        self.forms[seed] = _parsed(seed)
        try:
            return self.document(seed)[0]
        finally:
            del self.forms[seed]

    def document(self, seed: Seed) -> tuple[bytes, bool]:
        """A changed document, and whether its customers stand where they stood."""
        chance, form = self.chance, self.forms[seed]
        if form is None or chance.random() < 0.12:
            content = seed.content
            others = [other.content for other in self.by_target[seed.target.name]]
            for _ in range(chance.choice((1, 1, 2, 4))):
                content = byte_changes.change(content, chance, others)
            return content[:200_000], False
        return self.structured(seed), True

    def structured(self, seed: Seed) -> bytes:
        """A document changed by its structure alone."""
        chance, form = self.chance, self.forms[seed]
        times = chance.choice((1, 1, 1, 2, 3, 6))
        others = [
            self.forms[other]
            for other in self.by_target[seed.target.name]
            if other.form == seed.form and other is not seed
        ]
        others = [other for other in others if other is not None]
        if seed.form == "json":
            return _changed_json(form, chance, others, times, seed.canaries)
        if seed.form == "xml":
            return _changed_xml(form, chance, others, times, seed.canaries)
        return _changed_table(form, chance, times, seed.canaries)


def _parsed(seed: Seed) -> Any:
    try:
        if seed.form == "json":
            text = seed.content.decode("utf-8-sig")
            try:
                return [json.loads(text)]
            except ValueError:
                return [json.loads(line) for line in text.splitlines() if line.strip()]
        if seed.form == "xml":
            return xml_changes.read(seed.content)
        if seed.form == "table":
            return table_changes.read(seed.content.decode("utf-8-sig"))
    except (ValueError, RecursionError, csv.Error, etree.XMLSyntaxError):
        pass
    return None


def _changed_json(
    values: list[Any], chance: random.Random, others: list[Any], times: int, canaries: frozenset[str]
) -> bytes:
    copies = json.loads(json.dumps(values))
    at = chance.randrange(len(copies))
    for _ in range(times):
        copies[at] = json_changes.change(copies[at], chance, others, _holder(_holds_json, canaries))
    written = [json_changes.write(value, chance) for value in copies]
    return written[0] if len(written) == 1 else b"\n".join(line.replace(b"\n", b" ") for line in written)


def _holder(holds: Callable[[Any, frozenset[str]], bool], canaries: frozenset[str]) -> Callable[[Any], bool]:
    """Whether a value is what a person is known by, and so stays as it is."""
    return (lambda value: holds(value, canaries)) if canaries else (lambda value: False)


def _holds_json(value: Any, canaries: frozenset[str]) -> bool:
    return isinstance(value, str) and any(canary in value for canary in canaries)


def _changed_xml(form: Any, chance: random.Random, others: list[Any], times: int, canaries: frozenset[str]) -> bytes:
    root = copy.deepcopy(form)
    for _ in range(times):
        root = xml_changes.change(root, chance, others, _holder(_holds_xml, canaries))
    return xml_changes.write(root, chance)


def _holds_xml(element: Any, canaries: frozenset[str]) -> bool:
    texts = (element.text or "", *map(str, element.attrib.values()))
    return any(canary in text for canary in canaries for text in texts)


def _changed_table(form: Any, chance: random.Random, times: int, canaries: frozenset[str]) -> bytes:
    mark, rows = form[0], [list(row) for row in form[1]]
    fixed = {column for row in rows for column, cell in enumerate(row) if any(canary in cell for canary in canaries)}
    for _ in range(times):
        table_changes.change(rows, chance, fixed)
    return table_changes.write(mark, rows, chance).encode("utf-8", "replace")


def run(seeds: list[Seed], *, chance: random.Random, goes_on: Callable[[Campaign], bool]) -> Campaign:
    """Try documents as long as `goes_on` says so."""
    changer, campaign = Changer(seeds, chance), Campaign()
    begun = time.monotonic()
    lines = {seed: _line(changer, seed) for seed in seeds}
    number = 0
    weights = list(itertools.accumulate(1 / (1000 + len(seed.content)) for seed in seeds))  # a large one costs more
    while goes_on(campaign):
        [seed] = chance.choices(seeds, cum_weights=weights)
        number += 1
        campaign.tried[seed.target.name] += 1
        if (line := lines[seed]) is not None and chance.random() < 0.15:
            for breach, content in _beside(changer, seed, line):
                campaign.add(seed, content, breach)
        else:
            content, in_place = changer.document(seed)
            canaries = seed.canaries if in_place else frozenset[str]()
            for breach in judge(seed.target, content, canaries, deep=number % DEEP == 0):
                campaign.add(seed, content, breach)
        campaign.seconds = time.monotonic() - begun
    return campaign


def _line(changer: Changer, seed: Seed) -> bytes | None:
    """The seed as one line of JSON lines, where it is one record and reads so."""
    form = changer.forms[seed]
    if seed.form != "json" or form is None or len(form) != 1 or not isinstance(form[0], dict):
        return None
    line = json.dumps(form[0], ensure_ascii=False).encode()
    try:
        alone, three = ask(seed.target, line), ask(seed.target, b"\n".join([line] * 3))
    except Exception:  # noqa: BLE001 - the campaign finds it by itself
        return None
    return line if alone.records and len(three.records) == 3 * len(alone.records) else None


def _beside(changer: Changer, seed: Seed, line: bytes) -> Iterator[tuple[Breach, bytes]]:
    """A damaged record between two good ones."""
    damaged = changer.structured(seed).replace(b"\n", b" ")
    if not damaged.lstrip().startswith(b"{") or len(damaged) < len(line) // 2:
        return
    content = b"\n".join((line, damaged, line))
    try:
        joined = ask(seed.target, content)
        for breach in neighbours(lambda part: _cached(seed.target, part), line, line, joined):
            yield breach, content
    except Exception:  # noqa: BLE001 - judged as a document of its own
        for breach in judge(seed.target, content, deep=False):
            yield breach, content


_ANSWERS: dict[tuple[int, bytes], Answer] = {}


def _cached(target: Target, content: bytes) -> Answer:
    key = id(target), content
    if key not in _ANSWERS:
        _ANSWERS[key] = ask(target, content)
    return _ANSWERS[key]


def shorter(finding: Finding, tries: int = 400) -> Finding:
    """The finding with a document that is shorter and breaks the same law alike."""
    content, size, left = finding.content, max(1, len(finding.content) // 2), tries
    while size and left:
        at = 0
        while at < len(content) and left:
            left -= 1
            less = content[:at] + content[at + size :]
            if less and finding.breach in set(judge(finding.seed.target, less, finding.seed.canaries)):
                content = less
            else:
                at += size
        size //= 2
    return attrs.evolve(finding, content=content)


def save(finding: Finding, folder: Path) -> Path:
    """Write a finding: the document, and beside it what it breaks and with which settings."""
    folder.mkdir(parents=True, exist_ok=True)
    number = len(list(folder.glob("*.txt"))) + 1
    suffix = {"json": ".json", "xml": ".xml", "table": ".csv"}.get(finding.seed.form, ".bin")
    path = folder / f"{number:03d}-{finding.seed.target.name}-{finding.breach.law}{suffix}"
    path.write_bytes(finding.content)
    told = f"{finding.breach.law}: {finding.breach.what}\nof {finding.seed.label}\n\n{finding.seed.target.settings}\n"
    path.with_suffix(".txt").write_text(told, encoding="utf-8")
    return path
