"""The remembered contact is answered, any other is left to the next resolver."""

import random
from pathlib import Path

from tillpost import Context, Use
from tillpost.clock import SystemClock
from tillpost.model import Contact, Identified, Identifier
from tillpost_known import Known, Settings, plugin


def _no_budget(*_: object) -> None:
    raise AssertionError("a memory needs no request budget")


def test_only_a_remembered_contact_is_known(tmp_path: Path) -> None:
    context = Context(
        pipeline="p",
        folder=tmp_path,
        state=tmp_path,
        clock=SystemClock(),
        random=random.Random(1),
        budget=_no_budget,  # type: ignore[arg-type]
    )
    (known,) = plugin.build([Use("resolve", Settings())], context)
    assert isinstance(known, Known)
    email = (Identifier("email", "a@b.se"),)
    assert known.resolve_contact(Contact(key="k", identifiers=email)) is None
    assert known.resolve_contact(Contact(key="k", identifiers=email, contact_id="g")) == Identified(contact_id="g")
