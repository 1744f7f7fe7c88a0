"""What is printed stands in the same order at every run, whatever the seed of the process's hashes."""

from __future__ import annotations

import os
import re
import subprocess
import sys
from pathlib import Path

import attrs

from tests.support.receipts import receipt
from tillpost.model import Customer, Identifier
from tillpost.model.receipt_json import dumps

CALLS = (
    "adapter try receipts more.jsonl", "adapter try receipts more.jsonl --json", "check", "check --json",
    "accept day.jsonl more.jsonl", "account", "account --json", "alerts", "alerts --json", "status", "status --json",
    "receipts --json", "held list", "held list --json", "contacts list", "contacts list --json", "documents list --all",
    "documents list --all --json", "gaps", "gaps --json", "day --date 2026-11-24 --store 12",
    "day --date 2026-11-24 --store 12 --json", "metrics", "plugins", "plugins --json", "mapping show",
    "mapping show --json", "journal stats", "journal verify", "files list",
    "replay start --store 12 --from 2026-11-01 --to 2026-11-30 --reason x --dry-run",
)  # fmt: skip
SCRIPT = """
import sys
from pathlib import Path
from tests.support.command import call
for words in sys.argv[2:]:
    print("$", words)
    result = call(Path(sys.argv[1]), *words.split())
    print(result.output, result.exit_code, repr(result.exception))
"""
_VARIES = re.compile(r"c[0-9a-f]{16}|\d+(?:[.,:]\d+)*")
"""Keys of contacts, which are drawn, and figures and times."""


def printed(shop: Path, folder: Path, seed: str) -> list[str]:
    folder.mkdir()
    for name in ("tillpost.toml", "day.jsonl", "more.jsonl"):
        (folder / name).write_bytes((shop.parent / name).read_bytes())
    run = subprocess.run(
        [sys.executable, "-c", SCRIPT, str(folder / "tillpost.toml"), *CALLS],
        cwd=folder, env=os.environ | {"PYTHONHASHSEED": seed, "PYTHONPATH": os.pathsep.join(sys.path)},
        capture_output=True, text=True, check=True,
    )  # fmt: skip
    return _VARIES.sub("#", run.stdout.replace(str(folder), "")).splitlines()


def test_no_command_prints_in_an_order_that_changes_from_run_to_run(shop: Path) -> None:
    keys = {"mobilePhone": "0701234567", "email": "no address", "externalId": "4711", "memberNumber": "M 7"}
    known = Customer(identifiers=tuple(Identifier(kind, value) for kind, value in keys.items()))
    more = [
        attrs.evolve(receipt(f"{store}{number}"), id=f"{store}_{number}", store=store, customer=known)
        for number in (7, 9)
        for store in ("12", "13", "14", "15")
    ]
    lines = [*map(dumps, more), b'{"a": 1}', b"{", b"[]", b'{"b": 2}']
    (shop.parent / "more.jsonl").write_bytes(b"\n".join(lines))
    runs = [printed(shop, shop.parent / seed, seed) for seed in ("1", "2", "3")]
    assert len(runs[0]) > 200
    assert runs[0] == runs[1] == runs[2]
