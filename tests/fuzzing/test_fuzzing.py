"""Fuzzing in the tests: a short campaign on each adapter, and in all tests a longer one of a few minutes.

The documents are the same at every run. Others, and for hours: `python -m tests.fuzzing --help`.
"""

from __future__ import annotations

import random
import time
from collections.abc import Callable, Iterator
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.fuzzing.campaign import Campaign, Changer, run, shorter
from tests.fuzzing.guided import run_all
from tests.fuzzing.laws import judge
from tests.fuzzing.seeds import CORPUS, Seed, Target, seeds, target
from tests.support.matrix import adapters, suite
from tests.support.proportion import is_in_proportion
from tillpost.kit import JsonObject, json_records, parse_clean_json
from tillpost.model import Broken, Document, NoReceipt, Parsed

DOCUMENTS, BY_COVERAGE = 4000, 2000
"""Documents an adapter of the longer campaign."""


def told(campaign: Campaign) -> str:
    """Each finding with what is needed to see it again."""
    return "\n".join(
        f"{finding.seed.target.name}, {finding.breach.law}: {finding.breach.what}\nmade of {finding.seed.label}, with\n"
        f"{finding.seed.target.settings}\n{shorter(finding, 150).content[:2000]!r}"
        for finding in campaign.findings.values()
    )


@pytest.mark.parametrize("name", adapters())
def test_changed_samples_have_only_documented_outcomes(name: str) -> None:
    """The same documents at every run."""
    begins = seeds([name], exports=False)
    campaign = run(begins, chance=random.Random(1), goes_on=lambda so_far: so_far.tried.total() < 300)
    assert not campaign.findings, told(campaign)


@pytest.mark.slow
@pytest.mark.parametrize("name", adapters())
def test_in_thousands_they_have_only_documented_outcomes(name: str, measured: Callable[[str], None]) -> None:
    """Real exports too, where they are beside."""
    chance = random.Random(2)
    campaign = run(seeds([name]), chance=chance, goes_on=lambda so_far: so_far.tried.total() < DOCUMENTS)
    rate = campaign.tried.total() / campaign.seconds
    measured(f"fuzzing {name}: {campaign.tried.total()} documents, {rate:.0f} a second")
    assert not campaign.findings, told(campaign)


@pytest.mark.slow
@pytest.mark.skipif(find_spec("atheris") is None, reason="atheris is not installed here: no wheel for this Python")
@pytest.mark.parametrize("name", adapters())
def test_by_coverage_they_have_only_documented_outcomes(name: str, tmp_path: Path) -> None:
    assert run_all([name], 3600, tmp_path / "found", documents=BY_COVERAGE) == 0


@pytest.mark.parametrize(
    "path", sorted(path for path in CORPUS.rglob("*") if path.is_file()), ids=lambda path: path.name
)
def test_what_fuzzing_found_stays_fixed(path: Path) -> None:
    [seed] = [seed for seed in seeds([path.parent.name], exports=False) if seed.label.endswith(f"/{path.name}")]
    assert list(judge(seed.target, path.read_bytes())) == []


@pytest.mark.parametrize("name", adapters())
def test_a_receipt_of_many_lines_takes_time_in_proportion(name: str) -> None:
    own = suite(name)()
    aim = target(name, dict(own.settings))

    assert is_in_proportion(lambda count: aim.read(own.repeat_line(count)), 2000)


# --- the harness itself: what it must notice -----------------------------------------------------------------------


def test_work_by_the_square_is_noticed() -> None:
    assert is_in_proportion(lambda count: [0] * count * 100, 2000)
    assert not is_in_proportion(lambda count: [[0] * count for _ in range(count)], 2000)


@attrs.frozen
class Spoilt:
    """An adapter with a fault: the sum of what JSON records have as `paid`."""

    fault: str

    def parse_receipts(self, document: Document) -> Iterator[Parsed]:
        for record in json_records(document, largest=10**6):
            try:
                form, _ = parse_clean_json(record.content, place=record.place)
                value = JsonObject.of(form, record.place)
                value.decimal("paid")
            except ValueError as error:
                if self.fault == "drops":
                    continue
                reason = f"{error} of {record.content[:200]!r}" if self.fault == "leaks" else str(error)
                yield Broken(reason=reason, place=record.place, raw=record.content)
                continue
            if self.fault == "ends" and form["paid"] == "0":
                raise KeyError("0")
            if self.fault == "slow" and isinstance(form.get("text"), str):
                sum(a == b for a in form["text"] for b in form["text"] * 5)
            reason = f"{time.time_ns()}" if self.fault == "changes" else "no sale"
            yield NoReceipt(reason=reason, place=record.place, retail=False)


def campaign_on(fault: str, count: int = 3000) -> Campaign:
    aim = Target("spoilt", "", Spoilt(fault))
    content = b'{"paid": "5.00", "text": "kopp", "name": "kanarie-anna", "list": [1, 2, {"a": "b"}]}'
    begins = [Seed(aim, "spoilt", content, "json", frozenset({"kanarie-anna"}))]
    return run(begins, chance=random.Random(3), goes_on=lambda so_far: so_far.tried.total() < count)


@pytest.mark.parametrize(
    ("fault", "law"),
    [("ends", "outcome"), ("leaks", "leak"), ("drops", "dropped"), ("changes", "deterministic"), ("slow", "time")],
)
def test_a_fault_of_an_adapter_is_found(fault: str, law: str) -> None:
    found = campaign_on(fault)
    assert law in {finding.breach.law for finding in found.findings.values()}


def test_an_adapter_without_a_fault_has_no_finding_and_a_finding_gets_shorter() -> None:
    assert campaign_on("").findings == {}
    [finding] = [one for one in campaign_on("ends").findings.values() if one.breach.law == "outcome"]
    short = shorter(finding)
    assert len(short.content) < 60
    assert next(judge(short.seed.target, short.content)) == finding.breach


def test_the_same_chance_gives_the_same_documents() -> None:
    begins = seeds(["zettle", "saft-cash"] if "saft-cash" in adapters() else ["zettle"], exports=False)

    def documents() -> list[Any]:
        changer = Changer(begins, random.Random(7))
        return [changer.document(seed) for seed in begins * 3]

    assert documents() == documents()
