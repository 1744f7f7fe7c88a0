"""`tillpost adapter try` judges what it shows: a person who should look is told at what, and the exit code is 1."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any
from uuid import uuid4

import attrs
import pytest
from click.testing import CliRunner, Result

import tillpost_receipts
from tillpost import simple
from tillpost.cli import cli
from tillpost.cli.adapter import given, trial
from tillpost.cli.adapter.judgement import masked
from tillpost.compose.plugins import load_plugin
from tillpost.kit import MakeId, adapter
from tillpost.model import Document, Found, Parsed
from tillpost_receipts.parse import parse as parse_receipts

RECEIPTS = Path(tillpost_receipts.__file__).parent / "samples"


def sale(number: int, **changed: Any) -> dict[str, Any]:
    form: dict[str, Any] = json.loads((RECEIPTS / "sale.jsonl").read_text(encoding="utf-8"))
    known = {"identifiers": [{"kind": "externalId", "value": f"C-{number}"}]}
    return form | {"number": str(number), "customer": known} | changed


def known(**identifiers: str) -> dict[str, Any]:
    return {"identifiers": [{"kind": kind, "value": value} for kind, value in identifiers.items()]}


@pytest.fixture
def attempt(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `tillpost adapter try receipts` on these sales, one list a file."""
    monkeypatch.chdir(tmp_path)

    def run(*files: list[dict[str, Any]], words: tuple[str, ...] = ("--json",)) -> Result:
        names = []
        for number, sales in enumerate(files, start=1):
            names.append(f"day-{number}.jsonl")
            (tmp_path / names[-1]).write_text("\n".join(map(json.dumps, sales)))
        return CliRunner().invoke(cli, ["adapter", "try", "receipts", *names, *words])

    return run


def looked_at(result: Result) -> list[str]:
    told = json.loads(result.stdout)
    assert result.exit_code == (1 if told["look_at"] or told["broken"] else 0)
    return list(told["look_at"])


def test_a_sound_file_gives_nothing_to_look_at(attempt: Any) -> None:
    assert looked_at(attempt([sale(1), sale(2)])) == []


def test_a_customers_key_is_shown_masked(attempt: Any) -> None:
    told = json.loads(attempt([sale(1, customer=known(externalId="4711-0815", email="anna@example.com"))]).stdout)
    assert told["receipts"][0]["customer"] == "externalId 47…(9) email an…(16)"
    assert masked("abc") == "…(3)"


def test_case_26_one_key_without_a_figure_on_two_receipts_may_be_a_programmes_name(attempt: Any) -> None:
    programme = known(externalId="Family Club")
    [said] = looked_at(attempt([sale(1, customer=programme), sale(2, customer=programme), sale(3, customer=None)]))
    assert said == (
        "all 2 receipts that have an externalId have the same, Fa…(11): is it a customer's, or the name of a programme?"
    )
    assert "Family" not in attempt([sale(1, customer=programme)], words=()).output


@pytest.mark.parametrize(("receipts", "flagged"), [(2, False), (3, False), (4, True), (9, True)])
def test_one_key_with_figures_is_told_from_four_receipts_on(attempt: Any, receipts: int, flagged: bool) -> None:
    sales = [sale(number, customer=known(memberNumber="PLUS-2026")) for number in range(receipts)]
    assert bool(looked_at(attempt(sales))) is flagged
    if flagged:
        assert looked_at(attempt([*sales, sale(99, customer=known(memberNumber="M-7"))])) == []


def test_t5_identifiers_no_crm_takes_are_told_with_what_would_help(attempt: Any) -> None:
    bad = known(mobilePhone="0701234567", email="not an address")
    phone, email = looked_at(attempt([sale(1, customer=bad), sale(2)]))
    assert phone == (
        "1 receipt with a mobilePhone that no CRM takes, such as 07…(10): a phone number without its country's code;"
        " `country` in the configuration reads national numbers"
    )
    assert email == "1 receipt with an email that no CRM takes, such as no…(14): not an e-mail address"
    told = json.loads(attempt([sale(1, customer=bad)]).stdout)
    assert told["flags"] == {"unusable-mobilePhone": 1, "unusable-email": 1}


def test_a_word_for_a_tender_that_nobody_knows_is_told(attempt: Any) -> None:
    lunch = [{"type": "other", "amount": "130.00", "description": "LUNCHKORT"}]
    assert looked_at(attempt([sale(1, tenders=lunch), sale(2)])) == [
        "1 tender of unknown type: LUNCHKORT 1; the setting `tenders` names their types"
    ]


def test_t4_taxes_that_contradict_the_lines_are_told(attempt: Any) -> None:
    lines = [
        {"kind": "purchase", "sku": "A", "quantity": "1", "paid": "130.00", "tax_amount": "1.00", "tax_percent": "25"}
    ]
    assert looked_at(attempt([sale(1, lines=lines)])) == [
        "1 receipt flagged tax-percent-off: a tax is not its percentage of the amount it is on"
    ]


def test_flags_are_counted_and_alone_make_nobody_look(attempt: Any) -> None:
    sales = [sale(1, flags=["rounding-as-tender"]), sale(2, flags=["rounding-as-tender", "dst-gap"])]
    result = attempt(sales, words=())
    assert result.exit_code == 0
    assert "Flags\n  2 receipts: rounding-as-tender\n  1 receipt: dst-gap" in result.output


def test_t1_times_of_another_zone_are_told(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    header = "number;created;sku;quantity;paid;card\n"
    rows = [f"{number};2026-03-14T23:30:00+00:00;A-1;1;5.00;5.00\n" for number in range(36)]
    (tmp_path / "utc.csv").write_text(header + "".join(rows))
    (tmp_path / "mixed.csv").write_text(header + "".join(rows[:3]) + "99;2026-03-14T16:30:00-07:00;A-1;1;5.00;5.00\n")
    monkeypatch.chdir(tmp_path)
    columns = ["number", "created", "sku", "quantity", "paid"]
    words = ["timezone=US/Pacific", "constants.currency=USD", "constants.store='1'", "delimiter=;", "tenders.card=card"]
    words += [f"columns.{name}={name}" for name in columns]

    def said(name: str) -> list[str]:
        pairs = [part for word in words for part in ("--set", word)]
        return looked_at(CliRunner().invoke(cli, ["adapter", "try", "table", name, *pairs, "--json"]))

    there = "timezone is US/Pacific (there -07:00): business days and ids are made of these times"
    assert said("utc.csv") == [f"all 36 times carry +00:00, {there}"]
    assert said("mixed.csv") == [f"3 of 4 times carry +00:00, {there}"]


def test_b7_several_files_have_one_total_and_a_receipt_in_two_of_them_counts_once(attempt: Any) -> None:
    told = json.loads(attempt([sale(1), sale(2)], [sale(2), sale(3)]).stdout)
    counts = [(each["document"], each["receipts"], each["again"]) for each in told["documents"]]
    assert counts == [("day-1.jsonl", 2, 0), ("day-2.jsonl", 1, 1)]
    [total] = told["total"]
    assert (total["receipts"], total["currency"], Decimal(total["total"])) == (3, "SEK", Decimal(390))
    shown = attempt([sale(1)], [sale(2, business_date="2026-03-15")], words=()).output
    assert "day-1.jsonl: 1 receipt, 0 skipped" in shown
    [last] = [line for line in shown.splitlines() if line.startswith("all ")]
    assert last.split()[:4] == ["all", "SEK", "2", "260.00"]


def test_the_same_id_with_other_content_in_another_file_is_broken(attempt: Any) -> None:
    told = json.loads(attempt([sale(1)], [sale(1, tenders=[{"type": "cash", "amount": "130.00"}])]).stdout)
    [broken] = told["broken"]
    assert (broken["document"], broken["reason"]) == (
        "day-2.jsonl",
        "the id 12_3_2026-03-14_1 is taken by other content",
    )


class Raising:
    """An adapter with a mistake of its author."""

    def parse_receipts(self, document: Any) -> Any:
        return [dict[str, int]()["anna@example.com"]]


def test_an_adapter_that_raises_is_shown_its_own_lines_without_the_errors_text(
    attempt: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    from tillpost import hookimpl

    class Plugged(Raising):
        parse_receipts = hookimpl(Raising.parse_receipts)

    broken = simple("raises", "adapter", load_plugin("receipts").slots["adapter"], lambda *_: Plugged())
    for where in (trial, given):
        monkeypatch.setattr(where, "load_plugin", lambda name: broken if name == "receipts" else load_plugin(name))
    result = attempt([sale(1)], words=())
    assert result.exit_code == 1
    assert "Not read to the end: plugin" in result.output
    assert 'in parse_receipts: return [dict[str, int]()["anna@example.com"]]\n    KeyError' in result.output


def test_a_document_of_which_nothing_was_read_is_told(attempt: Any) -> None:
    result = attempt([], [sale(1)], words=())
    assert "day-1.jsonl" in result.output
    assert result.exit_code == 1


@pytest.mark.parametrize(
    ("change", "said"),
    [
        (
            lambda: {"id": str(uuid4())},
            "2 of 2 receipts had another id when the document was read again: each would be sent twice; make ids with"
            " make_id, of what the record says",
        ),
        (
            lambda: {"extra": {"read": str(uuid4())}},
            "2 of 2 receipts had other content when the document was read again: each would be held as changed; take"
            " every value from the record",
        ),
    ],
)
def test_m14_what_differs_at_each_reading_is_told(
    attempt: Any, monkeypatch: pytest.MonkeyPatch, change: Callable[[], dict[str, Any]], said: str
) -> None:
    plugged = load_plugin("receipts")

    def parse(document: Document, settings: Any, make_id: MakeId) -> Iterator[Parsed]:
        for record in parse_receipts(document, settings, make_id):
            assert isinstance(record, Found)
            yield attrs.evolve(record, receipt=attrs.evolve(record.receipt, **change()))

    random = adapter(parse, plugged.slots["adapter"], "random ids")
    for where in (trial, given):
        monkeypatch.setattr(where, "load_plugin", lambda name: random if name == "receipts" else load_plugin(name))
    assert looked_at(attempt([sale(1), sale(2)])) == [f"day-1.jsonl: {said}"]
