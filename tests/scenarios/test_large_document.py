"""A document larger than memory: accepted in constant memory, killed half-way, accepted again; none lost or doubled."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import closing
from decimal import Decimal
from pathlib import Path

import apsw
import attrs
import pytest

import tillpost_poslog
import tillpost_saft_cash

pytestmark = pytest.mark.slow

MB = int(os.environ.get("TILLPOST_LARGE_MB", "60"))
MOST = 100 * 1024 * 1024
"""Bytes a process may have resident at its peak, however large the document."""
RUNNER = """
import os, resource, sys
child = os.posix_spawn(sys.executable, [sys.executable, "-m", "tillpost", *sys.argv[2:]], os.environ)
status = os.waitstatus_to_exitcode(os.waitpid(child, 0)[1])
with open(sys.argv[1], "w") as file:
    file.write(str(resource.getrusage(resource.RUSAGE_CHILDREN).ru_maxrss * 1024))
sys.exit(status)
"""


@attrs.frozen
class Large:
    """A sample with one sale, to be repeated: where the sale begins and ends, how it writes its total."""

    adapter: str
    sample: Path
    begin: str
    end: str
    total: Decimal
    part: int = 1
    """Of the size that is asked for, one in so many."""

    def write(self, path: Path) -> int:
        """Sales, each with a number of its own; how many there are."""
        text = self.sample.read_text(encoding="utf-8")
        head, rest = text.split(self.begin, 1)
        body, tail = rest.split(self.end, 1)
        sale = self.begin + body + self.end
        assert f">{self.total}<" in sale
        count = MB * 1_000_000 // self.part // len(sale.encode())
        with path.open("w", encoding="utf-8") as file:
            file.write(head)
            for number in range(1, count + 1):
                file.write(sale.replace(">1001<", f">{number}<"))
            file.write(tail)
        return count


DOCUMENTS = {
    "poslog": Large(
        adapter='use = "poslog", timezone = "Europe/Stockholm", loyalty = "externalId"',
        sample=Path(tillpost_poslog.__file__).parent / "samples" / "basket.xml",
        begin="  <Transaction>",
        end="</Transaction>\n",
        total=Decimal("595.60"),
    ),
    "saft-cash": Large(
        adapter='use = "saft-cash", customer = "externalId"',
        sample=Path(tillpost_saft_cash.__file__).parent / "samples" / "promises" / "sale.xml",
        begin="        <cashtransaction>",
        end="</cashtransaction>\n",
        total=Decimal("130.00"),
        part=6,  # its sales are small: as many as six times the size has of POSLog
    ),
}


class Site:
    """A configuration and its journal, and `tillpost accept` in real processes."""

    def __init__(self, folder: Path, adapter: str) -> None:
        self.folder = folder
        self.config = folder / "tillpost.toml"
        self.config.write_text(
            '[tillpost]\nstate = "state"\n[pipelines.shop]\nanonymous = "externalId:HOUSE"\n'
            'source = { use = "folder", path = "inbox" }\n'
            f"adapter = {{ {adapter} }}\n"
            'resolve = [ { use = "known" } ]\nmap = { use = "engage" }\n'
            'transport = { use = "engage", url = "http://127.0.0.1:9", api_key = { env = "KEY" } }\n',
            encoding="utf-8",
        )
        self.environment = os.environ | {"KEY": "large"}

    def _words(self, document: Path) -> list[str]:
        return ["--config", str(self.config), "accept", str(document), "--json"]

    def accept(self, document: Path) -> tuple[dict[str, int], int]:
        """What `tillpost accept` answers, and its peak of resident memory in bytes."""
        peak = self.folder / "peak"
        done = subprocess.run(
            [sys.executable, "-c", RUNNER, str(peak), *self._words(document)],
            env=self.environment,
            capture_output=True,
            text=True,
            check=False,
        )
        assert done.returncode == 0, done.stderr
        answer: dict[str, int] = json.loads(done.stdout)
        return answer, int(peak.read_text())

    def killed(self, document: Path, after: int) -> int:
        """`tillpost accept` ended by SIGKILL once the journal has so many; how many it has then."""
        process = subprocess.Popen(
            [sys.executable, "-m", "tillpost", *self._words(document)],
            env=self.environment,
            stdout=subprocess.DEVNULL,
        )
        try:
            while self.held() < after:
                assert process.poll() is None, f"ended with {process.returncode} before it could be killed"
                time.sleep(0.05)
        finally:
            process.kill()
            process.wait()
        return self.held()

    def held(self) -> int:
        """How many receipts there are in the journal, read beside whoever writes it."""
        path = self.folder / "state" / "shop" / "journal.db"
        if not path.exists():
            return 0
        with closing(apsw.Connection(str(path), flags=apsw.SQLITE_OPEN_READONLY)) as connection:
            connection.set_busy_timeout(10_000)
            try:
                count = connection.execute("SELECT count(*) FROM receipts").get
            except apsw.SQLError:  # the table is yet to be made
                return 0
            return int(count)

    def receipts(self) -> Iterator[tuple[str, Decimal]]:
        """Number and total of each, by the command."""
        lines = subprocess.Popen(
            [sys.executable, "-m", "tillpost", "--config", str(self.config), "receipts", "--json"],
            env=self.environment,
            stdout=subprocess.PIPE,
            text=True,
        )
        assert lines.stdout is not None
        with lines.stdout:
            for line in lines.stdout:
                row = json.loads(line)
                yield row["number"], Decimal(row["total"])
        assert lines.wait() == 0


@pytest.mark.parametrize("name", DOCUMENTS)
@pytest.mark.timeout(max(290, MB * 10))
def test_killed_half_way_and_accepted_again(tmp_path: Path, name: str) -> None:
    large = DOCUMENTS[name]
    site = Site(tmp_path, large.adapter)
    document = tmp_path / "day.xml"
    count = large.write(document)
    begun = time.monotonic()
    before = site.killed(document, after=count // 2)
    assert count // 2 <= before < count, "killed too late to show anything"
    answer, peak = site.accept(document)
    took = time.monotonic() - begun
    assert (answer["accepted"], answer["duplicates"]) == (count - before, before)
    assert (answer["held"], answer["skipped"], answer["ignored"]) == (0, 0, 0)
    numbers = set()
    total = Decimal(0)
    rows = 0
    for number, amount in site.receipts():
        rows += 1
        numbers.add(number)
        total += amount
    assert rows == count, "doubled"
    assert numbers == {str(number) for number in range(1, count + 1)}, "lost or invented"
    assert total == count * large.total
    assert peak < MOST, f"{peak / 1e6:.0f} MB at the peak"
    size = document.stat().st_size / 1e6
    document.unlink()
    print(
        f"{name}: {size:.0f} MB, {count} receipts, killed at {before}, accepted again: {took:.0f} s in all, "
        f"{peak / 1e6:.0f} MB at the peak"
    )
