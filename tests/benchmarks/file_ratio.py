"""How fast the fallback files are written, against a hand-written text template of the same file, side by side.

    python -m tests.benchmarks.file_ratio [--receipts 20000] [--runs 5] [--folder DIR]

Prints JSON: receipts/s, CPU seconds per 1,000 and peak memory of both, medians of alternating runs, each in a process
of its own, and the ratios with their spread. Both get the same mapped receipts (eight lines, about 4 KB in the file),
2,000 at a time as the flow gives them.

Ours: the hook `write_files` of `engage-xml`: each receipt checked, text cleaned, the file read once, its SHA-256,
fsync,
rename. Template: f-strings that know the receipt's fields, `escape` of each text, write, fsync, rename; no check at
all. The two files are the same but for line ends.
"""

from __future__ import annotations

import argparse
import json
import os
import platform
import re
import statistics
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from xml.sax.saxutils import escape

from tests.benchmarks.receipts import sale
from tillpost.model import FallbackBatch, Identifier, Payload
from tillpost.model.receipt_json import from_json
from tillpost_engage.files import EngageFiles
from tillpost_engage.filesettings import FileSettings
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings

BATCH = 2000
NAMESPACE = "http://voyado.Schemas.ImportReceipts"
STAMP = datetime(2026, 3, 1, 12, 30, tzinfo=UTC)


def payload(number: int) -> Payload:
    """A sale of eight lines, mapped; nothing of it is anybody's."""
    form = sale(number)
    del form["customer"]
    for position, line in enumerate(form["lines"]):
        line["extra"] = {"campaign": f"autumn-{position}", "colour": "blue"}
    form["id"] = f"{form['store']}_{form['till']}_{form['business_date']}_{number}"
    form["raw"] = {"sha256": "0" * 64, "document": "bench", "place": str(number)}
    match = Identifier("email", f"kund.{number * 31 % 400}@example.com")
    return Mapping(MapSettings()).map_receipt(from_json(form, place="bench"), match)


# --- the template ----------------------------------------------------------------------------------------------------


def template(folder: Path, payloads: Sequence[Payload], number: int) -> Path:
    """The file of the receipts, by somebody who knows exactly what is in them."""
    path = folder / f"{STAMP:%Y%m%d%H%M%S}_{number}_transactions.xml"
    part = folder / f".{path.name}.part"
    with part.open("w", encoding="utf-8", newline="", buffering=1 << 18) as file:
        file.write(f"<?xml version='1.0' encoding='utf-8'?>\n<transactions xmlns=\"{NAMESPACE}\">")
        for each in payloads:
            file.write(_transaction(each.fields))
        file.write("</transactions>")
        file.flush()
        os.fsync(file.fileno())
    part.rename(path)
    return path


def _transaction(r: Any) -> str:
    contact = r["contact"]
    return (
        f"<transaction><contact><matchKey>{escape(contact['matchKey'])}</matchKey>"
        f"<matchKeyType>{contact['matchKeyType']}</matchKeyType><contactType>{contact['contactType']}</contactType>"
        f"</contact><uniqueReceiptId>{escape(r['uniqueReceiptId'])}</uniqueReceiptId>"
        f"<receiptNumber>{escape(r['receiptNumber'])}</receiptNumber><createdDate>{r['createdDate']}</createdDate>"
        f"<storeExternalId>{escape(r['storeExternalId'])}</storeExternalId><currency>{r['currency']}</currency>"
        f"<totalGrossPrice>{r['totalGrossPrice']}</totalGrossPrice>"
        f"<taxDetails>{''.join(map(_tax, r['taxDetails']))}</taxDetails>"
        f"<paymentMethods>{''.join(map(_payment, r['paymentMethods']))}</paymentMethods>"
        f"<items>{''.join(map(_item, r['items']))}</items>{_extra(r['extraData'])}</transaction>"
    )


def _tax(t: Any) -> str:
    return (
        f"<taxDetail><description>{escape(t['description'])}</description><value>{t['value']}</value>"
        f"<percent>{t['percent']}</percent><totalIncludingTax>{t['totalIncludingTax']}</totalIncludingTax>"
        f"<totalExcludingTax>{t['totalExcludingTax']}</totalExcludingTax></taxDetail>"
    )


def _payment(p: Any) -> str:
    return (
        f"<paymentMethod><type>{escape(p['type'])}</type><description>{escape(p['description'])}</description>"
        f"<value>{p['value']}</value>{_extra(p['extraData'])}</paymentMethod>"
    )


def _item(i: Any) -> str:
    discounts = "".join(
        f"<discount><type>{escape(d['type'])}</type><description>{escape(d['description'])}</description>"
        f"<value>{d['value']}</value></discount>"
        for d in i.get("discounts", ())
    )
    return (
        f"<item><type>{i['type']}</type><sku>{escape(i['sku'])}</sku><quantity>{i['quantity']}</quantity>"
        f"<grossPaidPrice>{i['grossPaidPrice']}</grossPaidPrice><taxAmount>{i['taxAmount']}</taxAmount>"
        f"<taxPercent>{i['taxPercent']}</taxPercent><articleNumber>{escape(i['articleNumber'])}</articleNumber>"
        f"<articleName>{escape(i['articleName'])}</articleName><articleGroup>{escape(i['articleGroup'])}</articleGroup>"
        f"{f'<discounts>{discounts}</discounts>' if discounts else ''}{_extra(i['extraData'])}</item>"
    )


def _extra(entries: Iterable[Any]) -> str:
    items = "".join(f'<item name="{escape(e["name"])}">{escape(e["value"])}</item>' for e in entries)
    return f"<extraData>{items}</extraData>"


# --- measuring -------------------------------------------------------------------------------------------------------


def ours(folder: Path, payloads: Sequence[Payload], number: int, files: EngageFiles) -> Path:
    """The same by the plugin."""
    batch = FallbackBatch(
        created=(), updated=(), receipts=tuple(payloads), stamp=STAMP, sequence=number, folder=folder / "fallback"
    )
    written = files.write_files(batch)
    assert len(written.files) == 1, written
    assert not written.refused, written
    return written.files[0].path


def one(side: str, receipts: int, folder: Path) -> dict[str, float]:
    """One run in this process."""
    payloads = [payload(number) for number in range(BATCH)]
    files = EngageFiles(FileSettings(), None)
    write: Callable[[Sequence[Payload], int], Path] = (
        (lambda given, number: ours(folder, given, number, files))
        if side == "ours"
        else (lambda given, number: template(folder, given, number))
    )
    if side == "same":
        a, b = ours(folder, payloads, 1, files).read_bytes(), template(folder, payloads, 2).read_bytes()
        assert a.replace(b"\n", b"") == b.replace(b"\n", b"")
        return {"bytes": len(b) / BATCH}
    write(payloads[:100], 0).unlink()
    wall = cpu = 0.0
    for number in range(1, receipts // BATCH + 1):
        begun = time.perf_counter(), time.process_time()
        path = write(payloads, number)
        wall, cpu = wall + time.perf_counter() - begun[0], cpu + time.process_time() - begun[1]
        path.unlink()
    # Not ru_maxrss: that is at least what the parent had when it started this process.
    peak = re.search(r"VmHWM:\s+(\d+) kB", Path("/proc/self/status").read_text())
    return {"wall": wall, "cpu": cpu, "memory": int(peak[1]) / 1024 if peak else 0.0}


def main() -> None:
    """Alternating runs."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("--receipts", type=int, default=20000, help=f"a multiple of {BATCH}")
    parser.add_argument("--runs", type=int, default=5)
    parser.add_argument("--folder", type=Path, help="where files are written; default: a temporary folder")
    parser.add_argument("--one", choices=("ours", "template", "same"), help=argparse.SUPPRESS)
    given = parser.parse_args()
    if given.one:
        print(json.dumps(one(given.one, given.receipts, given.folder)))
        return
    with tempfile.TemporaryDirectory(dir=given.folder) as folder:

        def run(side: str) -> dict[str, float]:
            command = [sys.executable, "-m", "tests.benchmarks.file_ratio", "--one", side, "--folder", folder]
            done = subprocess.run([*command, "--receipts", str(given.receipts)], check=True, capture_output=True)
            answer: dict[str, float] = json.loads(done.stdout)
            return answer

        size = run("same")["bytes"]
        pairs = [(run("ours"), run("template")) for _ in range(given.runs)]

    def median(side: int, name: str) -> float:
        return statistics.median(pair[side][name] for pair in pairs)

    def ratios(name: str) -> dict[str, Any]:
        found = [theirs[name] / own[name] for own, theirs in pairs]
        return {"median": round(statistics.median(found), 3), "spread": [round(min(found), 3), round(max(found), 3)]}

    told: dict[str, Any] = {
        "python": platform.python_version(),
        "receipts": given.receipts,
        "bytes_a_receipt": round(size),
        "runs": given.runs,
        "goal": 0.6,
        "ratio": ratios("wall"),
        "ratio_of_cpu": ratios("cpu"),
    }
    for side, name in enumerate(("ours", "template")):
        told[name] = {
            "per_second": round(given.receipts / median(side, "wall")),
            "cpu_per_1000": round(1000 * median(side, "cpu") / given.receipts, 4),
            "peak_mb": round(median(side, "memory"), 1),
        }
    json.dump(told, sys.stdout, indent=1)
    print()


if __name__ == "__main__":
    main()
