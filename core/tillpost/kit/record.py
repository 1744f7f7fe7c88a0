"""One record as Found, NoReceipt or Broken."""

from __future__ import annotations

from collections.abc import Callable, Iterable

import attrs

from tillpost.errors import InvalidValue, WrongType, plugin_place_of
from tillpost.kit.rounding import with_rounding_as_line
from tillpost.model.document import Broken, Document, Found, NoReceipt, Parsed
from tillpost.model.receipt import RawRef, Receipt
from tillpost.model.typed import wrong_arguments


def read_record(
    read: Callable[[RawRef], Receipt | NoReceipt],
    document: Document,
    place: str,
    raw: bytes,
    *,
    number: str = "",
    store: str = "",
    flags: Iterable[str] = (),
    rounding_as_line: bool = True,
) -> Parsed:
    """The receipt that `read` returns, as Found; Broken with the reason when it raises InvalidValue.

    A tender of the type `rounding` becomes a line (`with_rounding_as_line`), unless the format's own total is the one
    without it (rounding_as_line=False).

    A value of a wrong type and a field the model does not have break the record too, and the reason has the plugin's
    line; any other error is the plugin's own.

    read: called with the origin of the record, which becomes `Receipt.raw`. It may return NoReceipt instead.
    place: where the record stands in the document ("line 3"). raw: the record as a document of its own, which the
    same adapter can read again. number, store: shown of a record that cannot be read, as far as it has them.
    flags: added to those of the receipt.
    """
    try:
        receipt = read(RawRef(sha256=document.sha256, document=document.name, place=place))
        if isinstance(receipt, NoReceipt):
            return receipt
        receipt = with_rounding_as_line(receipt) if rounding_as_line else receipt
        if added := tuple(flag for flag in flags if flag not in receipt.flags):
            receipt = attrs.evolve(receipt, flags=(*receipt.flags, *added))
    except InvalidValue as error:
        # The places of errors in JSON and in tables begin with that of the record, which is said once.
        reason = str(error) if error.place.startswith(place.partition(".")[0]) else f"{place}: {error}"
        if isinstance(error, WrongType):
            reason += f" ({plugin_place_of(error)})"
    except TypeError as error:
        wrong = wrong_arguments(error)
        if wrong is None:
            raise
        reason = f"{place}: {wrong} ({plugin_place_of(error)})"
    except RecursionError:
        reason = f"{place}: nested too deep"
    except ArithmeticError:  # each amount is in bounds, and their product or ratio is not
        reason = f"{place}: amounts have more digits than can be calculated with"
    else:
        return Found(receipt=receipt, raw=raw)
    return Broken(reason=reason, place=place, raw=raw, number=number, store=store)


def voided_id(make: Callable[[], str]) -> str:
    """For `NoReceipt.voids`: the id that `make` returns; "" when it raises InvalidValue: no sale is named."""
    try:
        return make()
    except InvalidValue:
        return ""
