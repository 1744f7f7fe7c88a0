"""A pipeline's table can be written to another folder: its paths are absolute, its limits are those in force."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from tillpost.compose.config import load
from tillpost.compose.portable import portable_table

CONFIG = """
[pipelines.shop]
anonymous = "externalId:HOUSE"
workers   = 3
source    = { use = "folder", path = "inbox", done = "/var/done" }
adapter   = { use = "receipts" }
resolve   = [ { use = "known" }, { use = "engage", keys = ["email"] } ]
map       = { use = "engage", exchange_rates = { EUR = 11.50 } }
transport = { use = "engage", url = "https://x.example.com", api_key = { file = "key" }, attempts = 3 }
fallback  = { use = "engage-xml", xslt = "last.xslt", after = "7m" }
transfer  = { use = "sftp", host = "h", user = "u", key = "id", host_key = "ssh-ed25519 x" }
"""


@pytest.fixture
def table(tmp_path: Path) -> dict[str, object]:
    (tmp_path / "key").write_text("s3cr3t-k3y")
    (tmp_path / "tillpost.toml").write_text(CONFIG)
    (pipeline,) = load(tmp_path / "tillpost.toml").pipelines
    return portable_table(pipeline, tmp_path)


def test_paths_and_files_of_secrets_are_absolute_and_secrets_stay_where_they_are(
    table: dict[str, dict[str, object]], tmp_path: Path
) -> None:
    assert (table["source"]["path"], table["source"]["done"]) == (str(tmp_path / "inbox"), "/var/done")
    assert table["transport"]["api_key"] == {"file": str(tmp_path / "key")}
    assert table["fallback"]["xslt"] == str(tmp_path / "last.xslt")
    assert table["transfer"]["key"] == str(tmp_path / "id")
    assert "s3cr3t" not in str(table)


def test_limits_of_the_core_are_given_with_their_defaults(table: dict[str, dict[str, object]]) -> None:
    assert (table["transport"]["attempts"], table["transport"]["wait_max"]) == (3, timedelta(minutes=5))
    assert (table["fallback"]["after"], table["fallback"]["every"]) == (timedelta(minutes=7), timedelta(minutes=5))


def test_slots_keep_their_order_and_own_keys(table: dict[str, object]) -> None:
    assert table["resolve"] == [{"use": "known"}, {"use": "engage", "keys": ["email"]}]
    assert table["anonymous"] == "externalId:HOUSE"
    assert {"workers", "receipt_id", "unknown_contact"} <= table.keys()
