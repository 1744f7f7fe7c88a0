"""The doctor leaves alone what is healthy: whatever a journal took, in whatever form, is called fine."""

from __future__ import annotations

import os
from datetime import datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path
from tempfile import TemporaryDirectory

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.damage import harm
from tests.support.engine import store_of
from tests.support.receipts import accept, found, receipt
from tillpost.journal import Journal, State
from tillpost.journal.sqlite.doctor import repair, verify
from tillpost.journal.states import MOVES, REPLAYS
from tillpost.journal.tables import events
from tillpost.model import Broken, Found, Line, LineKind, NoReceipt, Tender

NOW = 1000.0
PAGE = 4096

_DIGITS = st.sampled_from(["803", "803.0", "803.00", "803.000", "8.03E+2", "-0", "341.6", "592.39", "12", "0", "1E+1"])
_WORDS = st.text(st.characters(codec="utf-8", exclude_categories=("Cs", "Cc")), min_size=1, max_size=12)


@st.composite
def _sales(draw: st.DrawFn) -> list[Found | Broken | NoReceipt]:
    """What an adapter may hand over: totals as their tills write them, times of any offset, odd numbers and names."""
    sales: list[Found | Broken | NoReceipt] = []
    for number in draw(st.lists(_WORDS, min_size=1, max_size=4, unique=True)):
        paid = Decimal(draw(_DIGITS))
        offset = timezone(timedelta(minutes=draw(st.integers(-720, 840))))
        sale = attrs.evolve(
            receipt(number=number, customer=draw(st.none() | st.sampled_from(["a", "#1", " b"]))),
            id=f"{draw(st.sampled_from(['r', 'r#', 'r#1#']))}{number}",
            total=paid,
            lines=(Line(kind=LineKind.PURCHASE, sku="a", quantity=Decimal("1.0"), paid=paid),),
            tenders=(Tender(type="card", amount=paid),),
            created=datetime(2026, 11, 24, 10, draw(st.integers(0, 59)), tzinfo=offset),
            store=draw(_WORDS),
            till=draw(_WORDS),
        )
        sales.append(Found(receipt=sale, raw=draw(st.binary(max_size=9))))
    sales.append(Broken(place="line 99", reason=draw(_WORDS), raw=draw(st.binary(max_size=9))))
    sales.append(NoReceipt(place="line 98", reason=draw(_WORDS), retail=draw(st.booleans())))
    return sales


@given(_sales())
def test_b29_whatever_accept_takes_verify_calls_fine_and_repair_leaves_alone(
    sales: list[Found | Broken | NoReceipt],
) -> None:
    with TemporaryDirectory() as name:
        journal = Journal(Path(name))
        accept(journal, *sales)
        journal.close()
        verified = verify(Path(name))
        assert verified.fine, verified
        assert verified.damages == []
        assert repair(Path(name), NOW).kept is None


@pytest.mark.parametrize("total", ["803", "803.0", "803.00"])
def test_b29_a_total_is_compared_as_a_value_and_not_as_text(tmp_path: Path, total: str) -> None:
    journal = Journal(tmp_path)
    accept(journal, found(price=total))
    journal.close()
    assert verify(tmp_path).fine
    harm(tmp_path, "UPDATE receipts SET total = '804'")
    assert [each.reason for each in verify(tmp_path).damages] == ["makes no sense: total"], "another value is damage"


@pytest.mark.parametrize(("was", "becomes"), [(was, to) for was in REPLAYS for to in sorted(REPLAYS[was])])
def test_b29_the_moves_of_a_replay_are_not_called_forbidden(tmp_path: Path, was: State, becomes: State) -> None:
    """docs/states.md draws them: delivered → accepted by `tillpost replay start --unverified`, and the others."""
    journal = Journal(tmp_path)
    accept(journal, found())
    store = store_of(journal)
    store.write(lambda transaction: events.record(transaction, 1.0, "deliver", str(was), receipt=1))
    store.write(lambda transaction: events.record(transaction, 2.0, "replay", str(becomes), receipt=1))
    store.write(lambda transaction: list(transaction.execute("UPDATE receipts SET state = ?", (becomes,))))
    journal.close()
    forbidden = f"tell a forbidden move: from {was} to {becomes}"
    assert forbidden not in [each.reason for each in verify(tmp_path).damages]
    harm(tmp_path, "UPDATE events SET step = 'deliver'")
    if becomes not in MOVES[was]:
        assert forbidden in [each.reason for each in verify(tmp_path).damages], "of any other step it is"


def test_the_copies_of_the_doctor_are_private_and_the_umask_is_left_alone(tmp_path: Path) -> None:
    """The umask is that of all threads; a repair of several seconds must not change the mode of others' files."""
    journal = Journal(tmp_path)
    accept(journal, *[found(number=str(number)) for number in range(60)])
    journal.close()
    content = bytearray((tmp_path / "journal.db").read_bytes())
    content[8 * PAGE : 9 * PAGE] = bytes(PAGE)
    (tmp_path / "journal.db").write_bytes(content)
    before = os.umask(0o022)
    seen: dict[str, int] = {}
    try:

        def look(text: str) -> None:
            assert os.umask(0o022) == 0o022, text
            for path in tmp_path.glob("repair-*/*"):
                seen[path.name] = max(seen.get(path.name, 0), path.stat().st_mode & 0o777)

        repair(tmp_path, NOW, progress=look)
    finally:
        os.umask(before)
    assert {"copy.db", "new.db"} <= seen.keys()
    assert set(seen.values()) == {0o600}
