"""Files of rows and cells changed by their structure."""

from __future__ import annotations

import csv
import io
import random
from collections import Counter

from tests.fuzzing.values import changed_text

MARKS = ",;\t|"


def read(text: str) -> tuple[str, list[list[str]]]:
    """The mark between cells (the one that is met most in the first lines), and the rows."""
    head = "\n".join(text.splitlines()[:3])
    mark = max(MARKS, key=lambda each: Counter(head)[each])
    return mark, list(csv.reader(io.StringIO(text), delimiter=mark, strict=False))


def change(rows: list[list[str]], chance: random.Random, fixed: set[int]) -> None:
    """One change of the rows, in place. fixed: columns that stay."""
    full = [row for row in rows if row]
    if not full:
        return
    row = chance.choice(full)
    columns = [column for column in range(len(row)) if column not in fixed]
    column = chance.choice(columns) if columns else 0
    kind = chance.random()
    if kind < 0.6:
        row[column] = changed_text(row[column], chance)
    elif kind < 0.66:
        rows.remove(row)
    elif kind < 0.74:
        rows.insert(chance.randrange(len(rows) + 1), list(row))
    elif kind < 0.78:
        row[column] = ""
    elif kind < 0.82:
        del row[max(fixed, default=0) + 1 :]
    elif kind < 0.86:
        row.append(chance.choice(("", "x", "1")))
    elif kind < 0.90:
        rows.insert(chance.randrange(len(rows) + 1), chance.choice(([], ["Total"], ["", "", ""], ["sep=;"])))
    elif kind < 0.94:
        for each in full:
            if column < len(each):
                each[column] = changed_text(each[column], chance)
    else:
        other = chance.choice(full)
        row[column] = other[column] if column < len(other) else ""


def write(mark: str, rows: list[list[str]], chance: random.Random) -> str:
    """The rows as text."""
    out = io.StringIO()
    end = chance.choice(("\n", "\n", "\r\n"))
    if chance.random() < 0.2:
        csv.writer(out, delimiter=mark, lineterminator=end, quoting=csv.QUOTE_ALL).writerows(rows)
    else:
        csv.writer(out, delimiter=mark, lineterminator=end).writerows(rows)
    return out.getvalue()
