"""A configuration, and a document with a receipt to take, one to hold and one to skip."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.support.command import CONFIG
from tests.support.receipts import receipt
from tillpost.model.receipt_json import dumps


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "tillpost.toml"
    file.write_text(CONFIG)
    lines = [dumps(receipt(number="1")), b'{"broken": ', dumps(receipt(number="2")), dumps(receipt("3", customer=None))]
    (tmp_path / "day.jsonl").write_bytes(b"\n".join(lines))
    return file
