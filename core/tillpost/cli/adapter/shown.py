"""What an adapter made of documents, as text for a terminal."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from decimal import Decimal
from typing import Any

import click

from tillpost.cli.adapter.reading import DocumentRead, Reading
from tillpost.cli.output import print_table
from tillpost.terminal import counted, plain, ranked

COLUMNS = ["number", "store", "till", "till_time", "total", "currency", "lines", "tenders", "customer", "flags"]


def show_reading(reading: Reading, bodies: list[Any]) -> None:
    """Print the documents, receipts, reasons, flags and sums, and last what a person should look at."""
    for read in reading.documents:
        _show_document(read)
    several = ["document"] if len(reading.documents) > 1 else []
    _section("", reading.receipts, lambda rows: print_table(rows, several + COLUMNS))
    for fields in bodies:
        click.echo(as_numbers(fields, indent=2))
    _section("Skipped: sales that are not sent", list(reading.skipped.items()), _show_counts)
    _section("Ignored: no sale", list(reading.ignored.items()), _show_counts)
    _section("Broken", reading.broken, lambda rows: click.echo("\n".join(_held(row, bool(several)) for row in rows)))
    _section("Flags", ranked(reading.judgement.flags), lambda rows: _show_counts(rows, "receipt"))
    totals = reading.totals()
    if len(totals) > 1:
        totals += [{"store": "all", "day": "", **row} for row in reading.total()]
    _section("Sums", totals, lambda rows: print_table(rows, list(rows[0])))
    _section("Tenders", reading.tenders(), lambda rows: print_table(rows, list(rows[0])))
    _section("A person should look at", reading.look_at(), _show_sentences)


def _show_document(read: DocumentRead) -> None:
    again = f", {read.again} read before" if read.again else ""
    counts = f"{read.skipped} skipped, {read.ignored} ignored, {read.broken} broken"
    click.echo(f"{plain(read.document)}: {counted(read.receipts, 'receipt')}{again}, {counts}")
    if read.recognised:
        click.echo(f"  recognised: {plain(read.recognised)}")
    if read.refused:
        click.echo(f"  Not read to the end: {plain(read.refused)}")
    for line in read.trace:
        click.echo(f"    {plain(line)}")


def _section(title: str, rows: list[Any], show: Callable[[list[Any]], object]) -> None:
    if rows:
        click.echo(f"\n{title}" if title else "")
        show(rows)


def _show_counts(rows: list[tuple[str, int]], what: str = "record") -> None:
    for reason, count in rows:
        click.echo(f"  {counted(count, what)}: {plain(reason)}")


def _show_sentences(rows: list[str]) -> None:
    for row in rows:
        click.echo(f"  {plain(row)}")


def _held(row: dict[str, str], name_document: bool) -> str:
    document = f"{row['document']}: " if name_document else ""
    number = f"number {row['number']}: " if row["number"] else ""
    where = "" if row["reason"].startswith(row["place"]) else f"{row['place']}: "
    return f"  {plain(document)}{plain(number)}{plain(where)}{plain(row['reason'])}"


_MARK = "\ue000"  # of the private use area: around a decimal, until the JSON is text


def as_numbers(value: Any, indent: int | None) -> str:
    """JSON with decimals as numbers of as many digits as they have, which `json` has no way to write."""

    def plain_value(each: Any) -> Any:
        return f"{_MARK}{each}{_MARK}" if isinstance(each, Decimal) else dict(each)

    text = json.dumps(value, ensure_ascii=False, default=plain_value, indent=indent)
    return re.sub(f'"{_MARK}(-?[0-9.E+-]+){_MARK}"', r"\1", text)
