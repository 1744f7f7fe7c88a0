"""The main job on a real export: every retail transaction reaches Engage, by API and by file, each exactly once."""

from __future__ import annotations

import json
import subprocess
import sys
from decimal import Decimal
from pathlib import Path

import pytest
from lxml import etree

from tests.support.exports import export

pytestmark = pytest.mark.slow


def test_the_real_poslog_arrives_to_the_cent_through_an_outage(tmp_path: Path) -> None:
    """42 retail transactions; those without a card go to one house contact; 9 control transactions are no receipts."""
    file = export("poslog-ncr-acs", "POSLog.xml")
    done = subprocess.run(
        [sys.executable, "-m", "tillpost", "demo", "--from", str(file), "--adapter", "poslog",
         "--anonymous", "externalId:HOUSE", "--dir", str(tmp_path / "demo"), "--json"],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    figures = json.loads(done.stdout.splitlines()[-1])
    assert figures["accepted"] + figures["skipped"] == 42
    assert figures["ignored"] == 9
    assert (figures["lost"], figures["duplicated"], figures["held"]) == (0, 0, 0)
    assert figures["delivered_file"] > 0
    assert figures["delivered_api"] > 0
    totals = etree.parse(str(file)).iterfind(
        ".//p:Total[@TotalType='TransactionGrandAmount']", {"p": "http://www.nrf-arts.org/IXRetail/namespace/"}
    )
    printed = sum((Decimal(total.text or "") for total in totals), Decimal(0))
    assert Decimal(figures["total_sandbox"]) == printed
