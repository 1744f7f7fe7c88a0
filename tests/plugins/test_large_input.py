"""A large file of JSON lines, for each adapter that reads them: memory does not grow with it.

The adapters of XML and CSV have the same test beside their other ones.
"""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path

import pytest

from tests.support.matrix import suite
from tillpost import DocumentError
from tillpost.compose.plugins import load_plugin
from tillpost.compose.standalone import standalone_hooks
from tillpost.model import Document

PEAK = """
import re, sys
from pathlib import Path
from tests.support.matrix import suite
from tillpost.compose.standalone import standalone_hooks
from tillpost.compose.plugins import load_plugin
from tillpost.model import Document, Found

name, path = sys.argv[1], Path(sys.argv[2])
hooks = standalone_hooks(name, load_plugin(name), {"adapter": suite(name).settings}, folder=Path.cwd())
count = sum(isinstance(record, Found) for record in hooks.parse_receipts(Document.from_path(path)))
# getrusage would show the peak of the process that started this one, too.
print(count, re.search(r"VmHWM:\\s+(\\d+)", Path("/proc/self/status").read_text())[1])
"""
ADAPTERS = ("lightspeed", "receipts", "shopify", "square", "zettle")


def record(name: str, size: int) -> bytes:
    """The sale of the adapter's promises in one line, with an article's name of so many characters."""
    form = json.loads(suite(name)().sample("sale") or b"")
    text = json.dumps(form, ensure_ascii=False)
    assert "Blå kopp" in text
    return text.replace("Blå kopp", "x" * size).encode()


@pytest.mark.skipif(not Path("/proc/self/status").exists(), reason="the peak is read from Linux's /proc")
@pytest.mark.parametrize("name", ADAPTERS)
def test_memory_does_not_grow_with_a_file_of_json_lines(name: str, tmp_path: Path) -> None:
    line = record(name, 20_000) + b"\n"
    peaks = []
    for count in (20, 1500):
        path = tmp_path / f"{count}.jsonl"
        with path.open("wb") as file:  # the larger has 30 MB
            file.writelines(line for _ in range(count))
        run = subprocess.run(
            [sys.executable, "-c", PEAK, name, str(path)],
            capture_output=True, text=True, check=True, cwd=Path(__file__).parents[2],
        )  # fmt: skip
        read, peak = run.stdout.split()
        assert int(read) == count
        peaks.append(int(peak) / 1024)
    assert peaks[1] - peaks[0] < 15


@pytest.mark.parametrize("name", ADAPTERS)
def test_one_array_beyond_largest_is_refused_and_says_what_to_do(name: str) -> None:
    """It must be in memory as a whole, and so it has a bound."""
    settings = {"adapter": {**suite(name).settings, "largest": 100_000}}
    hooks = standalone_hooks(name, load_plugin(name), settings, folder=Path.cwd())
    content = b"[" + b",".join([record(name, 20_000)] * 9) + b"]"
    with pytest.raises(DocumentError, match="more than 100000 bytes; write one record a line, or raise `largest`"):
        list(hooks.parse_receipts(Document.from_bytes("day.json", content)))
