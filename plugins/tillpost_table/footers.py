"""Rows with the sums of a table, which are no part of a receipt."""

from __future__ import annotations

import re

import attrs

from tillpost_table.rows import Row
from tillpost_table.settings import Settings

_SUMS = re.compile(
    r"(?:(?:sub-?|grand |end)?totals?|totalt|totaal|totale|totali|totaux|summa|summe|suma|somma|soma|sum"
    r"|gesamt(?:summe|betrag)?|(?:end|zwischen)summe|(?:del|mellan)summa|delsum|i ?alt|razem|ogółem|celkem|spolu"
    r"|összesen|yhteensä|kokku|kopā|iš viso|viso|ukupno|skupaj|samtals|toplam|итого|всего|разом|общо|вкупно|σύνολο)\b",
    re.IGNORECASE,
)
"""How such a row begins, in the languages of Europe."""


@attrs.frozen
class Footers:
    """Tells rows of sums: their first cell says so, and they have neither a time nor an article."""

    times: tuple[str, ...]
    keys: frozenset[str]
    articles: tuple[str, ...]

    @classmethod
    def of(cls, settings: Settings) -> Footers:
        """By the columns of the mapping; JSON has no such rows."""

        def columns(*fields: str) -> tuple[str, ...]:
            return tuple(settings.columns[field] for field in fields if field in settings.columns)

        times = columns("created", "date", "business_date") if settings.format == "csv" else ()
        articles = columns("sku", "article_number", "article_name", "tender_type")
        return cls(times, frozenset(columns("number", "store", "till")), articles)

    def has(self, row: Row) -> bool:
        """Whether the row has sums only. A table without a column of times has no such rows."""
        cells = row.cells
        column, first = next(((name, text) for name, cell in cells.items() if (text := cell.strip())), ("", ""))
        if not self.times or any(cells.get(name) for name in self.times if name != column):
            return False
        found = _SUMS.match(first)
        if not found or column in self.keys:
            return bool(found)
        articles = [text for name in self.articles if (text := cells.get(name, "").strip()) and name != column]
        # A name of an article may begin with such a word: "Total care shampoo".
        return not articles and (column not in self.articles or not first[found.end() :].strip(" :"))
