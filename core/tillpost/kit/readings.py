"""Where a record leaves open how it is meant: its readings in order, and the first that adds up.

The rule: where a flag, a sign or a name and the record's own numbers disagree, the reading that adds up is taken and
noted as a flag of the receipt; where none adds up the record is broken, with the difference of each reading tried.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Generic, TypeVar

import attrs

from tillpost.errors import InvalidValue

Value = TypeVar("Value", covariant=True)


@attrs.frozen
class Reading(Generic[Value]):
    """One way to read a record, or a part of it.

    said: what it takes for true, as a phrase for messages ("change inside the tender", "tax on top").
    make: returns the value; raises InvalidValue, with the difference, where it does not add up.
    flag: the flag of a receipt that is read so; "" where nothing that the record says is put aside.
    """

    said: str
    make: Callable[[], Value]
    flag: str = ""


def first_reading(readings: Iterable[Reading[Value]]) -> tuple[Value, tuple[str, ...]]:
    """The value of the first reading that adds up, and its flags.

    Raises InvalidValue when none does: the error of the only reading as it is, else that of each with what it took
    for true.
    """
    failures: list[tuple[str, InvalidValue]] = []
    for reading in readings:
        try:
            return reading.make(), (reading.flag,) if reading.flag else ()
        except InvalidValue as error:
            failures.append((reading.said, error))
    if not failures:
        raise InvalidValue("there is no way to read it")
    if len({str(error) for _, error in failures}) == 1:
        raise failures[0][1]
    raise InvalidValue("no reading adds up: " + "; ".join(f"{said}: {error}" for said, error in failures))
