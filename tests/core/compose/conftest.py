from __future__ import annotations

import textwrap
from collections.abc import Callable
from pathlib import Path

import pytest

TRIAL = Path(__file__).parent / "trial"

GOOD = """\
[tillpost]
state = "state"

[pipelines.stores]
source    = { use = "trial-folder", path = "inbox", settle = "500ms", poll = "2s" }
adapter   = { use = "trial-log", timezone = "America/Chicago" }
resolve   = [ { use = "trial-crm", keys = ["memberNumber"] }, { use = "trial-crm" } ]
map       = { use = "trial-crm", price_basis = "line" }
transport = { use = "trial-crm", url = "http://x", api_key = { env = "TRIAL_KEY" }, attempts = 3 }
fallback  = { use = "trial-file", after = "1m", max_lines = 100 }
transfer  = { use = "trial-sftp", host = "127.0.0.1", host_key = "ssh-ed25519 AAAA" }
"""


@pytest.fixture(autouse=True)
def trial(monkeypatch: pytest.MonkeyPatch) -> Path:
    """The distribution `trial` is installed, and the key it needs is set."""
    monkeypatch.syspath_prepend(TRIAL)
    monkeypatch.setenv("TRIAL_KEY", "hunter2")
    return TRIAL


@pytest.fixture
def write(tmp_path: Path) -> Callable[..., Path]:
    """Write a configuration: the good one with `old, new` replaced in it, or a whole text."""

    def save(old: str = "", new: str = "", text: str = GOOD) -> Path:
        assert old in text
        file = tmp_path / "tillpost.toml"
        file.write_text(textwrap.dedent(text.replace(old, new) if old else text), encoding="utf-8")
        return file

    return save
