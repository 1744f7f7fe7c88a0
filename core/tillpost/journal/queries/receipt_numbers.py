"""The receipt numbers of a till, for the report of missing ones."""

from __future__ import annotations

from collections.abc import Iterator

import attrs

from tillpost.journal.database import Table


@attrs.frozen
class ReceiptNumber:
    """A printed number, the business date it was printed on, and when it was accepted (seconds since 1970)."""

    date: str
    number: str
    accepted_at: float


class ReceiptNumbers(Table):
    """Numbers of receipts and of other records. Retention removes only those of days older than `keep`."""

    def of(self, store: str, till: str, since: str, until: str = "9999-12-31") -> Iterator[ReceiptNumber]:
        """The numbers of a till of these dates: of receipts in any state, and of records that are not a receipt."""
        rows = self._database.read(
            "SELECT business_date, number, accepted_at FROM receipts INDEXED BY receipts_day"
            " WHERE store = ?1 AND business_date BETWEEN ?3 AND ?4 AND till = ?2"
            " UNION ALL SELECT date, number, at FROM no_receipts INDEXED BY no_receipts_till"
            " WHERE store = ?1 AND till = ?2 AND date BETWEEN ?3 AND ?4 AND number <> ''",
            (store, till, since, until),
        )
        return (ReceiptNumber(*row) for row in rows)

    def undated(self, store: str, till: str) -> list[str]:
        """The numbers whose till or date is unknown: of records that cannot be read, and some that are not a sale."""
        rows = self._database.read(
            "SELECT number FROM receipts INDEXED BY receipts_day WHERE store = ?1 AND business_date = ''"
            " AND number <> ''"
            " UNION SELECT number FROM no_receipts INDEXED BY no_receipts_till"
            " WHERE store = ?1 AND till = ?2 AND date = '' AND number <> ''"
            " UNION SELECT number FROM no_receipts INDEXED BY no_receipts_till"
            " WHERE store = '' AND till = '' AND date = '' AND number <> ''",
            (store, till),
        )
        return [str(number) for (number,) in rows]
