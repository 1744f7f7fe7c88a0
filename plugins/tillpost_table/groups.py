"""Rows grouped into receipts: consecutive rows with the same key, one receipt in memory at a time."""

from __future__ import annotations

from collections.abc import Iterable, Iterator

import attrs

from tillpost import DocumentError
from tillpost_table.rows import Row

MOST_ROWS = 200_000
"""More rows than any receipt has: the key is wrong, and the whole file would be held in memory."""
_NO_KEY = "has no value in the columns of `group`; set `fill_down` where it continues the row above"


@attrs.define
class Group:
    """The rows of one receipt."""

    key: tuple[str, ...]
    rows: list[Row]

    @property
    def place(self) -> str:
        """From the first row to the last."""
        first, last = self.rows[0].place, self.rows[-1].place
        return first if first == last else f"{first} to {last}"


def groups(
    rows: Iterable[Row], key: tuple[str, ...], name: str, *, whole: bool, fill_down: bool
) -> Iterator[Group | Row]:
    """The receipts in the document's order, and each row that is a footer after the receipt it follows.

    A row that cannot be read and whose key is not known is added to the receipt before it and to the one after it:
    either may lack it, and so both are held.
    whole: a receipt is one record, whose rows have its place; two records of one key are two receipts.
    fill_down: a row whose key is empty, or the receipt's as far as it goes, is part of the receipt above.
    Raises DocumentError when a receipt has more than MOST_ROWS rows.
    """
    current: Group | None = None
    loose: list[Row] = []
    footers: list[Row] = []
    for row in rows:
        if row.is_footer:
            footers.append(row)
            continue
        own = tuple(row.cells.get(column, "").strip() for column in key)
        if whole:
            own = (*own, row.place)
        if fill_down and current is not None and not all(own) and _continues(own, current.key):
            own = current.key
        if row.ignored:
            if current is not None and own == current.key:
                current.rows += [*loose, row]
                loose = []
        elif not any(own) or (row.fault and not whole and not all(own)):
            loose.append(row if row.fault else attrs.evolve(row, fault=_NO_KEY))
        elif current is not None and own == current.key:
            current.rows += [*loose, row]
            loose = []
        else:
            if current is not None:
                current.rows += loose
                yield current
                yield from footers
                footers = []
            current, loose = Group(own, [*loose, row]), []
        if current is not None and len(current.rows) + len(loose) > MOST_ROWS:
            raise DocumentError(f"a receipt has more than {MOST_ROWS} rows; is `group` right?", f"{name}, {row.place}")
    if current is not None:
        current.rows += loose
        yield current
    elif loose:
        yield Group((), loose)
    yield from footers


def _continues(own: tuple[str, ...], key: tuple[str, ...]) -> bool:
    return all(value in ("", above) for value, above in zip(own, key, strict=True))
