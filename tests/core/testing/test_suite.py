"""How the suites hang together: lazily, and with every promise in words."""

from __future__ import annotations

import re
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest

from tests.core.testing.till import SmallTillPromises
from tillpost.errors import UsageError
from tillpost.testing import PRESCRIBED_SALES, AdapterSuite, MapSuite, SourceSuite, TransportSuite
from tillpost.testing.run import Report, Result, find, run

WITHOUT_PYTEST = """\
import sys
sys.modules["pytest"] = None
from tillpost.cli import main
sys.argv = ["tillpost", "plugin", "test", "receipts"]
main()
"""


def python(script: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=100, check=False)


def test_pytest_is_imported_when_a_promise_is_tried_and_not_before() -> None:
    done = python("import sys, tillpost.testing, tillpost.cli.adapter; sys.exit('pytest' in sys.modules)")
    assert done.returncode == 0, done.stderr


def test_without_pytest_the_command_says_which_extra_brings_it() -> None:
    done = python(WITHOUT_PYTEST)
    assert done.returncode == 1
    assert "pip install 'tillpost[testing]'" in done.stderr


def test_every_prescribed_sale_has_its_promise_and_adds_up() -> None:
    assert set(PRESCRIBED_SALES) <= set(AdapterSuite.promises())
    for name, sale in PRESCRIBED_SALES.items():
        assert sale.description.endswith("."), name
        assert sum(amount for _, amount in sale.tenders) == sale.total, name


def test_every_promise_says_what_it_promises() -> None:
    assert len(AdapterSuite.promises()) == 42
    assert all(AdapterSuite.promises().values())


def test_a_missing_sample_is_a_line_of_the_to_do_list(tmp_path: Path) -> None:
    class Empty(AdapterSuite):
        plugin = SmallTillPromises.plugin
        samples = tmp_path

    with pytest.raises(pytest.fail.Exception) as failure:
        Empty().test_dst_double()
    assert "to do: write samples/dst_double.*: One A-1 at 100.00" in str(failure.value)
    assert "It is 2026-10-25 02:30:00. Store 12, till 3, number 1001, SEK." in str(failure.value)
    assert 'waivers = {"dst_double": "why the till has no such thing"}' in str(failure.value)


def test_the_list_offers_a_waiver_only_where_there_can_be_one(tmp_path: Path) -> None:
    class Empty(AdapterSuite):
        plugin = SmallTillPromises.plugin
        samples = tmp_path

    with pytest.raises(pytest.fail.Exception) as failure:
        Empty().test_sale()
    assert "waive" not in str(failure.value)
    with pytest.raises(pytest.fail.Exception, match=r"in a foreign currency.*number 1001, EUR"):
        Empty().test_foreign_currency()


@pytest.mark.parametrize(
    ("suite", "members", "said"),
    [
        (SmallTillPromises, {"custommer": "C-1"}, "no attribute 'custommer'; did you mean 'customer'"),
        (SmallTillPromises, {"currencies": ("SEK",)}, "no attribute 'currencies'; did you mean 'currency'"),
        (SmallTillPromises, {"colour": 1}, "no attribute 'colour'"),
        (SmallTillPromises, {"repeat_lines": lambda self, count: b""}, "no method 'repeat_lines'; did you mean"),
        (SmallTillPromises, {"sampel": lambda self, promise: b""}, "no method 'sampel'; did you mean 'sample'"),
        (SmallTillPromises, {"numbers": "1001"}, "numbers is the text '1001', and must be a tuple"),
        (SmallTillPromises, {"numbers": ["1001", "1002"]}, "numbers is of the type list, and must be a tuple"),
        (SmallTillPromises, {"waivers": {"gift_card"}}, "waivers is of the type set, and must be a mapping"),
        (SmallTillPromises, {"settings": 'timezone = "Europe/Oslo"'}, "and must be a mapping"),
        (SmallTillPromises, {"store": 12}, "store is of the type int, and must be text"),
        (SmallTillPromises, {"samples": "samples"}, "samples is the text 'samples', and must be a Path"),
        (SmallTillPromises, {"writes_offset": "no"}, "writes_offset is the text 'no', and must be True or False"),
        (SmallTillPromises, {"test_sale": lambda self: None}, "promise 'sale' is replaced by a test of its own"),
        (SmallTillPromises, {"never_waived": frozenset()}, "never_waived is the suite's to say"),
        (SourceSuite, {"secret": ("k",)}, "no attribute 'secret'; did you mean 'secrets'"),
        (SourceSuite, {"secrets": "hunter2"}, "secrets is of the type str, and must be a tuple"),
        (SourceSuite, {"orign": lambda self, fault, folder: None}, "no method 'orign'; did you mean 'origin'"),
        (SourceSuite, {"test_killed_before": lambda self, tmp_path: None}, "promise 'killed_before' is replaced"),
        (TransportSuite, {"deadline": "5s"}, "deadline is the text '5s', and must be a number"),
        (TransportSuite, {"destinations": lambda self: None}, "did you mean 'destination'"),
        (MapSuite, {"setting": {}}, "no attribute 'setting'; did you mean 'settings'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else None,
)
def test_g5_what_no_suite_has_or_has_otherwise_is_refused(suite: Any, members: dict[str, Any], said: str) -> None:
    with pytest.raises(pytest.fail.Exception, match=re.escape(said)) as failed:
        type("Mine", (suite,), members)().test_waivers()
    assert "hunter2" not in str(failed.value)


@pytest.mark.parametrize(
    "members",
    [
        {},
        {"_own": 1},
        {"helper": lambda self: None},
        {"samples": Path("samples")},
        {"samples": None},
        {"pytestmark": []},
        {"numbers": ("1001",)},
        {"test_of_my_own": lambda self: None},
        {"sample": lambda self, promise: b""},
        {"settings": {"timezone": "Europe/Oslo"}},
    ],
    ids=lambda members: next(iter(members), "nothing"),
)
def test_what_is_right_is_not_refused(members: dict[str, Any]) -> None:
    type("Mine", (SmallTillPromises,), members)().test_waivers()


PASSED_OVER = """
from tillpost.testing import SourceSuite, MapSuite

class Base(MapSuite):
    plugin = "engage"

class TestEngage(Base):
    pass
"""


def test_a_suite_that_pytest_passes_over_is_named(tmp_path: Path) -> None:
    (report,) = tried(tmp_path / "collected.py", "")
    assert report.count("kept") == len(MapSuite.promises())
    with pytest.raises(UsageError, match="the suite EngageSource is not tried: its name must begin with Test"):
        tried(tmp_path / "another_name.py", "\n\nclass EngageSource(SourceSuite):\n    plugin = 'engage'\n")
    with_init = tmp_path / "with_init.py"
    with_init.write_text(PASSED_OVER + "\n    def __init__(self):\n        pass\n")
    words = ["tillpost", "plugin", "test", str(with_init)]
    done = python(f"import sys\nfrom tillpost.cli import main\nsys.argv = {words!r}\nmain()")
    assert done.returncode == 2
    assert "the suite TestEngage is not tried: it has an __init__" in done.stderr


def tried(path: Path, more: str) -> Sequence[Report]:
    path.write_text(PASSED_OVER + more)
    return run(find(str(path)))


def results(*given: tuple[str, str, str]) -> Report:
    found = tuple(Result(promise, "It is so.", outcome, detail) for promise, outcome, detail in given)
    return Report("p", "1", "d", (), found)


def test_each_thing_to_do_is_said_once_and_a_part_is_welcome() -> None:
    to_do, waive = "promise `day`: to do: write samples/day.*", "\n  or waive it: waivers = …"
    report = results(
        ("sale", "kept", ""), ("return", "to do", f"promise `return`: to do: write samples/return.*{waive}"),
        ("day", "to do", to_do), ("crash", "to do", to_do), ("cut_file", "to do", to_do),
        ("ids", "broken", "promise `sale`: no"), ("later", "broken", "promise `sale`: no"),
        ("copy", "waived", "no copies"), ("training", "waived", "no copies"),
    )  # fmt: skip
    assert [said for _, said in report.told()] == [
        "", "promise `return`: to do: write samples/return.*", to_do, "as `day`", "as `day`", "promise `sale`: no",
        "as `ids`", "no copies", "no copies",
    ]  # fmt: skip
    assert report.next_step().startswith("a part is welcome: what is kept is kept. Go on with `return`")
    assert report.next_step().count("waive it") == 1
    assert report.markdown().count("write samples/day") == 1
    assert results(("sale", "kept", "")).next_step() == ""


PARTIAL = """
import sys
sys.path.insert(0, {root!r})
from pathlib import Path
from tests.core.testing.till import SmallTillPromises
from tillpost.testing import AdapterSuite

class TestPartial(AdapterSuite):
    plugin = SmallTillPromises.plugin
    settings = SmallTillPromises.settings
    samples = Path(__file__).parent / "samples"
"""


def test_partial_is_fine_while_nothing_is_broken(tmp_path: Path) -> None:
    """A folder with the sample of `sale` alone, and one whose `sale` is another sale."""
    sale = SmallTillPromises().sample("sale") or b""
    other = sale.replace(b'"2026-03-14T15:30:00"', b'"2026-03-14T15:31:00"')
    outcomes = {}
    for name, content in (("partial", sale), ("broken", other)):
        folder = tmp_path / name
        (folder / "samples").mkdir(parents=True)
        (folder / "samples" / "sale.json").write_bytes(content)
        (folder / "promises.py").write_text(PARTIAL.format(root=str(Path(__file__).parents[3])))
        command = [sys.executable, "-m", "tillpost", "plugin", "test", str(folder / "promises.py")]
        outcomes[name] = [
            subprocess.run([*command, *more], capture_output=True, text=True, timeout=100, check=False).returncode
            for more in ([], ["--partial"])
        ]
    assert outcomes == {"partial": [1, 0], "broken": [1, 1]}
