"""What a record says of the receipt as a whole: charges, a discount and a tax, as parts of its lines."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from decimal import Decimal

import attrs

from tillpost.kit import ZERO, adjustment, spread, spread_discount
from tillpost.model import Discount, Line
from tillpost_table.cells import Cells
from tillpost_table.rows import Row

DISCOUNT_IN_LINES = "receipt-discount-in-lines"
"""The discount of the receipt is off the lines already."""
TAX_BY_TOTAL = "tax-by-total"
"""The tax of the receipt is in the prices where the setting says on top, or the reverse."""


@attrs.frozen
class Whole:
    """charges: what is asked beside the lines (shipping). discount, tax: of all lines together."""

    charges: Decimal
    discount: Decimal
    tax: Decimal
    discount_is_off: bool
    tax_is_on_top: bool
    currency: str
    place: str

    @classmethod
    def of(cls, rows: Sequence[Row], cells: Cells, currency: str) -> Whole | None:
        """Of the rows, None when they have none of it. Raises InvalidValue for what is no number."""
        amounts = [cells.amount(rows, field) or ZERO for field in ("charges", "receipt_discount", "receipt_tax")]
        if not any(amounts):
            return None
        charges, discount, tax = amounts
        on_top = cells.settings.tax == "on top"
        return cls(charges, abs(discount), tax, False, on_top, currency, rows[0].place)

    def otherwise(self) -> Iterator[tuple[str, tuple[str, ...], Whole]]:
        """The other ways to read it, with what each takes for true and its flags."""
        for is_off in (False, True) if self.discount else (False,):
            for on_top in (self.tax_is_on_top, not self.tax_is_on_top) if self.tax else (self.tax_is_on_top,):
                if (is_off, on_top) != (self.discount_is_off, self.tax_is_on_top):
                    said = " and ".join(
                        [f"tax {'on top' if on_top else 'in the prices'}"] * bool(self.tax)
                        + ["the discount off the lines already"] * is_off
                    )
                    flags = (DISCOUNT_IN_LINES,) * is_off + (TAX_BY_TOTAL,) * (on_top != self.tax_is_on_top)
                    yield said, flags, attrs.evolve(self, discount_is_off=is_off, tax_is_on_top=on_top)

    def of_lines(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        """The lines with their shares, and one with the charges."""
        if self.discount and not self.discount_is_off:
            lines = self._discounted(lines)
        if self.tax and not any(line.tax_amount for line in lines):
            shares = spread(self.tax, [line.paid for line in lines], self.currency)
            lines = tuple(self._taxed(line, share) for line, share in zip(lines, shares, strict=True))
        if self.charges:
            lines += (adjustment("charges", self.charges, "Charges"),)
        return lines

    def _discounted(self, lines: tuple[Line, ...]) -> tuple[Line, ...]:
        amounts = [line.paid for line in lines]
        off = Discount(type="discount", value=-self.discount.copy_sign(sum(amounts, ZERO)))
        shares = spread_discount(off, amounts, self.currency, self.place)
        return tuple(
            attrs.evolve(
                line, paid=line.paid + share.value, discounts=(*line.discounts, *([share] if share.value else []))
            )
            for line, share in zip(lines, shares, strict=True)
        )

    def _taxed(self, line: Line, share: Decimal) -> Line:
        net = line.paid if self.tax_is_on_top else line.paid - share
        percent = round(share / net * 100, 2) if share and net else ZERO
        return attrs.evolve(line, paid=net + share, tax_amount=share, tax_percent=percent)
