"""`tillpost adapter`: a file is tried without a configuration, promises become a report, a new one begins."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

import tillpost_dsfinvk
import tillpost_poslog
import tillpost_receipts
from tests.plugins.tillpost_dsfinvk.written import unpacked
from tests.support.exports import export
from tillpost.cli import cli
from tillpost.errors import ConfigurationError, UsageError

POSLOG = Path(tillpost_poslog.__file__).parent / "samples" / "promises"
GERMAN = Path(tillpost_dsfinvk.__file__).parent / "samples" / "promises"
RECEIPTS = Path(tillpost_receipts.__file__).parent / "samples"
STOCKHOLM = ("--set", "timezone=Europe/Stockholm", "--set", "loyalty=externalId")


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Run `tillpost adapter …` in an empty folder."""
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["adapter", *map(str, words)])


def answer(result: Result) -> Any:
    return json.loads(result.stdout)


def test_try_shows_receipts_and_sums_and_writes_nothing(call: Any, tmp_path: Path) -> None:
    result = call("try", "poslog", POSLOG / "day.xml", *STOCKHOLM)
    assert result.exit_code == 0, result.output
    assert "day.xml: 3 receipts, 0 skipped, 0 ignored, 0 broken" in result.stdout
    assert "1002" in result.stdout
    assert "390.00" in result.stdout
    assert "C-1001" not in result.stdout
    assert list(tmp_path.iterdir()) == []


def test_try_tells_what_is_broken_and_by_how_much(call: Any, tmp_path: Path) -> None:
    text = (POSLOG / "day.xml").read_text(encoding="utf-8")
    (tmp_path / "off.xml").write_text(text.replace('GrandAmount">130.00', 'GrandAmount">130.10', 1), encoding="utf-8")
    result = call("try", "poslog", tmp_path / "off.xml", *STOCKHOLM, "--json")
    told = answer(result)
    assert result.exit_code == 1
    assert len(told["receipts"]) == 2
    [broken] = told["broken"]
    assert broken["number"] == "1001"
    assert "difference -0.10" in broken["reason"]


def test_try_agrees_with_a_real_day(call: Any) -> None:
    told = answer(
        call("try", "poslog", export("poslog-ncr-acs", "POSLog.xml"), "--set", "timezone=America/New_York",
             "--set", "loyalty=externalId", "--json")
    )  # fmt: skip
    assert len(told["receipts"]) == 42
    assert sum(told["ignored"].values()) == 9
    assert sum(Decimal(row["total"]) for row in told["totals"]) == Decimal("2643.72")
    assert sum(Decimal(row["amount"]) for row in told["tenders"]) == Decimal("2643.72")


def test_try_takes_a_folder_as_one_zip_of_its_files(call: Any, tmp_path: Path) -> None:
    folder = tmp_path / "export"
    (folder / "sub").mkdir(parents=True)
    for name, content in unpacked((GERMAN / "day.txt").read_bytes()).items():
        (folder / name).write_bytes(content)
    words = ("try", "dsfinvk", str(folder), "--set", "store=Mitte")
    assert call(*words).stdout.startswith("export.zip: 3 receipts, 0 skipped, 0 ignored, 0 broken")
    assert call(*words).stdout == call(*words).stdout


def test_try_counts_why_sales_are_skipped(call: Any) -> None:
    told = answer(call("try", "poslog", POSLOG / "training.xml", *STOCKHOLM, "--json"))
    assert (told["receipts"], told["skipped"], told["ignored"]) == ([], {"training": 1}, {})


def test_try_shows_the_body_with_amounts_as_numbers(call: Any) -> None:
    result = call("try", "receipts", RECEIPTS / "return.jsonl", "--body", "--json")
    [body] = json.loads(result.stdout, parse_float=Decimal)["bodies"]
    assert body["totalGrossPrice"] == Decimal("-100.00")
    [item] = body["items"]
    assert (item["type"], item["quantity"], item["grossPaidPrice"]) == ("RETURN", -1, Decimal("100.00"))
    assert '"totalGrossPrice": -100.00' in call("try", "receipts", RECEIPTS / "return.jsonl", "--body").stdout


def test_try_says_what_another_setting_would_change(call: Any) -> None:
    sample = Path(tillpost_poslog.__file__).parent / "samples" / "sale-2.2.1.xml"
    result = call("try", "poslog", sample, *STOCKHOLM, "--diff", "sku=POSItemID")
    assert result.exit_code == 0
    assert "lines[0].sku: A-100 → 7310000000017" in result.stdout
    assert "1 record differs with sku=POSItemID" in result.stdout
    words = ("--diff", "currency=EUR", "--diff", "timezone=Europe/London", "--json")
    [told] = answer(call("try", "poslog", sample, *STOCKHOLM, *words))["differences"]
    assert [change.partition(":")[0] for change in told["changes"]] == ["created"]


def test_try_shows_where_a_document_stops_being_one(call: Any, tmp_path: Path) -> None:
    (tmp_path / "cut.xml").write_bytes((POSLOG / "day.xml").read_bytes()[:-400])
    result = call("try", "poslog", tmp_path / "cut.xml", *STOCKHOLM)
    assert result.exit_code == 1
    assert "2 receipts" in result.stdout
    assert "  Not read to the end: cut.xml: is not well-formed XML" in result.stdout


def test_try_names_two_receipts_under_one_id(call: Any, tmp_path: Path) -> None:
    lines = [json.loads((RECEIPTS / f"{name}.jsonl").read_text(encoding="utf-8")) for name in ("change", "gift_card")]
    (tmp_path / "two.jsonl").write_text("\n".join(map(json.dumps, lines)))
    result = call("try", "receipts", tmp_path / "two.jsonl")
    assert result.exit_code == 1
    assert "the id 12_3_2026-03-14_1001 is taken by other content" in result.stdout


def test_try_takes_settings_from_a_pipeline_of_a_configuration(call: Any, tmp_path: Path) -> None:
    (tmp_path / "tillpost.toml").write_text(
        '[pipelines.shop]\nreceipt_id = "{number}.{store}"\n'
        'adapter = { use = "poslog", timezone = "Asia/Tokyo", loyalty = "memberNumber" }\n'
        'resolve = [ { use = "known" } ]\nmap = { use = "engage" }\n'
        'transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "NO_SUCH_KEY" } }\n'
    )
    [row] = answer(call("try", "poslog", POSLOG / "sale.xml", "--pipeline", "shop", "--json"))["receipts"]
    assert (row["id"], row["till_time"], row["customer"]) == (
        "1001.12",
        "2026-03-14T15:30:00+09:00",
        "memberNumber C-…(6)",
    )


@pytest.mark.parametrize(
    ("words", "error", "said"),
    [
        (["poslog"], ConfigurationError, r"adapter.timezone: is missing. Give it with `--set timezone=…`"),
        (["poslog", "--set", "timezone=Mars"], ConfigurationError, "adapter.timezone: must be a time zone"),
        (["poslog", "--set", "colour=red"], ConfigurationError, "adapter.colour: unknown key"),
        (["poslog", "--set", "timezone"], UsageError, "a setting must be key=value"),
        (["posolg"], ConfigurationError, 'Did you mean "poslog"?'),
        (["folder"], UsageError, "folder is not an adapter"),
    ],
)
def test_try_names_a_wrong_word(call: Any, words: list[str], error: type[Exception], said: str) -> None:
    name, *rest = words
    result = call("try", name, POSLOG / "sale.xml", *rest)
    assert isinstance(result.exception, error)
    assert said in str(result.exception)


def tillpost(folder: Path, *words: str) -> subprocess.CompletedProcess[str]:
    """In a process of its own: pytest does not run well within pytest."""
    return subprocess.run(
        [sys.executable, "-m", "tillpost", *words], cwd=folder, capture_output=True, text=True, timeout=200, check=False
    )


def test_test_reports_what_is_kept_and_what_is_waived(tmp_path: Path) -> None:
    done = tillpost(tmp_path, "plugin", "test", "receipts", "--report", "r.md", "--junit", "r.xml", "--json")
    assert done.returncode == 0, done.stdout + done.stderr
    told = json.loads(done.stdout)
    outcomes = {each["promise"]: each["outcome"] for each in told["results"]}
    assert (outcomes["sale"], outcomes["training"]) == ("kept", "waived")
    assert told["distribution"] == "tillpost"
    report = (tmp_path / "r.md").read_text(encoding="utf-8")
    assert "# Promises of `receipts`" in report
    assert "**29 kept, 0 broken, 13 waived.**" in report
    assert "Missing: sequence, day totals." in report
    assert "| `training` | waived | the form holds finished sales only" in report
    cases = ElementTree.parse(tmp_path / "r.xml").getroot().iter("testcase")
    assert {case.get("name", "").removeprefix("test_") for case in cases} >= set(outcomes)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["r.md", "r.xml"]


BAD = """
from tests.core.testing.till import SmallTillPromises, plugin

class TestBad(SmallTillPromises):
    plugin = plugin("copy sent")
    waivers = {"training": "", "gift_card": "it has a sample", "day": "too long", "no_such": "x"}
"""


def test_test_names_a_broken_promise_and_a_waiver_that_cannot_stand(tmp_path: Path) -> None:
    (tmp_path / "promises.py").write_text(f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[3])!r})\n{BAD}")
    done = tillpost(tmp_path, "plugin", "test", "promises.py", "--report", "r.md")
    assert done.returncode == 1, done.stdout + done.stderr
    for said in (
        "promise `copy`: the file has a receipt, not a NoReceipt with its reason",
        "promise `training`: it is waived without a reason",
        "promise `gift_card`: it is waived and has a sample",
        "promise `day`: it cannot be waived",
        "there is no promise 'no_such'",
    ):
        assert said in done.stdout
    assert "| `copy` | broken | promise `copy`: the file has a receipt" in (tmp_path / "r.md").read_text()


UNFINISHED = """
from tests.core.testing.till import SmallTillPromises

class TestUnfinished(SmallTillPromises):
    def sample(self, promise):
        return None if promise == "later" else super().sample(promise)
"""


def test_a_sample_that_is_missing_is_to_do_and_not_broken(tmp_path: Path) -> None:
    path = f"import sys\nsys.path.insert(0, {str(Path(__file__).parents[3])!r})\n"
    (tmp_path / "promises.py").write_text(path + UNFINISHED)
    done = tillpost(tmp_path, "plugin", "test", "promises.py")
    assert done.returncode == 1, done.stdout + done.stderr
    assert "  to do  later\n           promise `later`: to do: write samples/later.*: The sale of `sale`" in done.stdout
    assert "0 broken, 1 waived, 1 to do" in done.stdout


@pytest.mark.parametrize(
    ("what", "said"),
    [
        ("folder", "plugin folder brings no promises (tillpost_folder.promises)"),
        ("nowhere", "neither an installed plugin nor a path"),
    ],
)
def test_test_says_when_there_is_no_suite(what: str, said: str, tmp_path: Path) -> None:
    done = tillpost(tmp_path, "plugin", "test", what)
    assert done.returncode == 2
    assert said in done.stderr


def test_a_suite_that_cannot_be_imported_is_told(tmp_path: Path) -> None:
    (tmp_path / "promises.py").write_text("import no_such_module\n")
    done = tillpost(tmp_path, "plugin", "test", ".")
    assert done.returncode == 2
    assert "No module named 'no_such_module'" in done.stderr
