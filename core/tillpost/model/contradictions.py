"""Where a receipt's own numbers contradict each other although lines and tenders sum to its total: as flags. Pure."""

from __future__ import annotations

from decimal import Decimal

from tillpost.model.money import minor_digits
from tillpost.model.receipt import Receipt

TAX_OFF = "tax-off"
"""The flag of a receipt whose taxes as the till summed them are not those of its lines."""
TAX_PERCENT_OFF = "tax-percent-off"
"""The flag of a receipt with a tax that is not its percentage: in a line, or of the amount it is on."""

_ZERO, _ONE, _HUNDRED = Decimal(0), Decimal(1), Decimal(100)


def contradictions(receipt: Receipt) -> tuple[str, ...]:
    """The flags of what does not agree in the receipt; () for nearly every one. A till may round each piece."""
    unit = _ONE.scaleb(-minor_digits(receipt.currency))
    percents_off = False
    last = with_tax = loose = _ZERO
    for line in receipt.lines:
        if percent := line.tax_percent:
            if percent != last:
                last, with_tax = percent, _HUNDRED + percent
                loose = unit * with_tax
            off = abs(line.paid * percent - line.tax_amount * with_tax)
            if off > loose and off > loose * (_ONE + abs(line.quantity)):
                percents_off = True
                break
    flags = []
    if receipt.taxes:
        sum_of_lines = sum((line.tax_amount for line in receipt.lines), _ZERO)
        apart = unit * (1 + len(receipt.lines))
        if sum_of_lines and abs(sum((each.amount for each in receipt.taxes), -sum_of_lines)) > apart:
            flags.append(TAX_OFF)
        percents_off = percents_off or any(
            abs(each.excluding_tax * each.percent - each.amount * _HUNDRED) > apart * _HUNDRED
            for each in receipt.taxes
            if each.percent
        )
    if percents_off:
        flags.append(TAX_PERCENT_OFF)
    return tuple(flags)
