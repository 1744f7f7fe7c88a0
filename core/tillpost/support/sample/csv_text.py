"""The cells of a CSV text replaced, and its quotes, marks and line ends left as they are."""

from __future__ import annotations

import re
from collections.abc import Collection

from tillpost.support.sample.json_text import Path, Rewrite, rewrite_json

_SECTION = re.compile(r"^\[([A-Za-z_]+\.(?:csv|txt))\]\r?\n", re.M)
_SEARCHED = 50
"""Rows in which the header may stand below titles."""
_BY_NUMBER = re.compile(r"[+-]?\d")


def rewrite_csv(
    text: str, rewrite: Rewrite, headers: Collection[str], *, delimiter: str = "", quote: str = '"', above: Path = ()
) -> str:
    """The text with its cells rewritten, each at its column's name, or its number where there is no header.

    headers: names that make a row the header. delimiter: "" is the one that the text has most. above: the file's name.
    Files one after another, each under [name.csv], are rewritten each with its own header.
    """
    if sections := list(_SECTION.finditer(text)):
        out = [text[: sections[0].start()]]
        for section, following in zip(sections, [*sections[1:], None], strict=True):
            part = text[section.end() : following.start() if following else len(text)]
            out += [section[0], rewrite_csv(part, rewrite, headers, above=(section[1],))]
        return "".join(out)
    delimiter = delimiter or max([";", ",", "\t", "|"], key=lambda mark: text[:20_000].count(mark))
    rows = _rows(text, delimiter, quote)
    header, is_known = header_of([[_bare(cell, quote) for cell in row[::2]] for row in rows[:_SEARCHED]], headers)
    names = [_bare(cell, quote) for cell in rows[header][::2]] if header is not None else []
    out = []
    for number, row in enumerate(rows):
        title = "(header)" if number == header and is_known else "(title)"
        for at, cell in enumerate(row):
            column = at // 2
            name = names[column] if column < len(names) and names[column] else str(column + 1)
            place = (*above, name if header is None or number > header else title)
            out.append(_rewritten(cell, place, rewrite, quote, delimiter) if at % 2 == 0 else cell)
    return "".join(out)


def header_of(rows: list[list[str]], headers: Collection[str]) -> tuple[int | None, bool]:
    """Which row is the header, and whether it has any of the names; else it is the first where nothing is a number.

    A first row that has none of the names may be one of persons: it names the columns, and is replaced all the same.
    """
    known = {name.casefold() for name in headers}
    counts = [sum(cell.strip().casefold() in known for cell in row) for row in rows]
    if most := max(counts, default=0):
        return counts.index(most), True
    if rows and len(rows[0]) > 1 and not any(_BY_NUMBER.match(cell.strip()) for cell in rows[0]):
        return 0, False
    return None, False


def _rows(text: str, delimiter: str, quote: str) -> list[list[str]]:
    """Each row as cells and the marks behind them, in turn, as they are written."""
    mark, q = re.escape(delimiter), re.escape(quote)
    quoted = rf"[ \t]*{q}(?:[^{q}]|{q}{q})*{q}[^{mark}\r\n]*|" if quote else ""
    cell = re.compile(rf"({quoted}[^{mark}\r\n]*)({mark}|\r\n|\n|\r|\Z)")
    rows: list[list[str]] = [[]]
    at = 0
    while at < len(text):
        found = cell.match(text, at)
        if found is None:  # cannot be: any character is in a cell or a mark
            raise ValueError(f"no cell at {at}")
        rows[-1] += [found[1], found[2]]
        at = found.end()
        if found[2] != delimiter:
            rows.append([])
    return rows[:-1] if not rows[-1] else rows


def _bare(cell: str, quote: str) -> str:
    bare = cell.strip().removeprefix("\ufeff")
    if quote and len(bare) > 1 and bare[0] == bare[-1] == quote:
        return bare[1:-1].replace(quote * 2, quote)
    return bare


def _rewritten(cell: str, place: Path, rewrite: Rewrite, quote: str, delimiter: str) -> str:
    bare = _bare(cell, quote)
    if not bare:
        return cell
    made = rewrite_json(bare, rewrite, place) if bare[0] in "{[" and bare[-1] in "}]" else rewrite(place, bare)
    if made == bare:
        return cell
    start = cell[: len(cell) - len(cell.lstrip())]
    end = cell[len(cell.rstrip()) :]
    needs = quote and (cell.strip()[:1] == quote or any(mark in made for mark in (delimiter, quote, "\n", "\r")))
    return f"{start}{quote}{made.replace(quote, quote * 2)}{quote}{end}" if needs else f"{start}{made}{end}"
