"""How the suites hang together: lazily, and with every promise in words."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest

from tests.core.testing.till import SmallTillPromises
from tillpost.testing import PRESCRIBED_SALES, AdapterSuite

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


def test_an_attribute_that_no_suite_has_is_refused_with_the_nearest() -> None:
    class Misspelt(SmallTillPromises):
        custommer = "C-1"
        _own = "not looked at"

    with pytest.raises(pytest.fail.Exception, match="no attribute 'custommer'; did you mean 'customer'"):
        Misspelt().test_waivers()
    SmallTillPromises().test_waivers()
