"""The simulator finds bugs that are planted in the real code, each by the invariant it breaks."""

from __future__ import annotations

import re
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from typing import Any

import pytest

import tillpost.flow.delivery.deliver
import tillpost.flow.delivery.verify
import tillpost.flow.fallback.reconcile
import tillpost.flow.worker
import tillpost.journal.tables.documents
import tillpost.journal.tables.receipts
from tests.scenarios.simulator.run import Failure, run
from tests.support.memory import memory_folder
from tillpost.flow.intake.in_hand import DocumentsInHand
from tillpost.flow.leases import ProcessClaims
from tillpost.flow.line import Line
from tillpost.journal import Entry, FileEntry, FileState, FileStatus, Group, Move, State
from tillpost.journal.database import Transaction
from tillpost.journal.queries.file_states import FileStates
from tillpost.journal.sqlite.store import Store, _Job
from tillpost.journal.tables.documents import Documents
from tillpost.journal.tables.files import Files
from tillpost.journal.tables.receipts import Receipts, _accept_group
from tillpost.model import Contact, Customer, History, Identifier, Payload, Receipt
from tillpost_engage.payload import Mapping

pytestmark = pytest.mark.slow

MOST = 500
Plant = Callable[[pytest.MonkeyPatch], object]


def acknowledged_before_the_commit(patch: pytest.MonkeyPatch) -> None:
    """Accept leaves its rows to the next commit, whosever that is."""

    def accept(self: Receipts, groups: Sequence[Group], anonymous: Customer | None, now: float) -> None:
        assert isinstance(self._database, Store)
        for group in groups:
            work = lambda transaction, group=group: _accept_group(transaction, group, anonymous, now, self.rules)  # noqa: E731
            self._database._queue.append(_Job(work))

    patch.setattr(Receipts, "accept_groups", accept)


def deleted_before_the_journal_knows(patch: pytest.MonkeyPatch) -> None:
    """A confirmed file is removed first, and then the journal is told."""
    move = Files.move

    def early(self: Files, entry: FileEntry, state: FileState, *given: Any, **named: Any) -> None:
        if state is FileState.CONFIRMED:
            entry.file.path.unlink(missing_ok=True)
        move(self, entry, state, *given, **named)

    patch.setattr(Files, "move", early)


def a_new_id_on_retry(patch: pytest.MonkeyPatch) -> Callable[[], None]:
    """The second time a receipt is mapped, it gets another uniqueReceiptId."""
    map_receipt, seen = Mapping.map_receipt, Counter[str]()

    def mapped(self: Mapping, receipt: Receipt, match: Identifier) -> Payload:
        payload = map_receipt(self, receipt, match)
        seen[receipt.id] += 1
        if seen[receipt.id] > 1:
            payload.fields["uniqueReceiptId"] += f"-{seen[receipt.id]}"  # type: ignore[index]
        return payload

    patch.setattr(Mapping, "map_receipt", mapped)
    return seen.clear


def no_intent_in_the_journal(patch: pytest.MonkeyPatch) -> None:
    """The journal is not told that a receipt is about to be sent."""
    advance = Receipts.advance

    def untold(self: Receipts, moves: Any, sending: Sequence[int], unsent: object, now: float) -> frozenset[int]:
        return advance(self, moves, (), (), now) | frozenset(sending)

    patch.setattr(Receipts, "advance", untold)


def repeated_without_asking(patch: pytest.MonkeyPatch) -> None:
    """An uncertain receipt is sent again as if it had not arrived."""

    def not_asked(line: Line, entry: Entry) -> Move:
        return Move(state=State.WAITING, due=line.clock.time(), attempts=entry.attempts, reason="sent again")

    patch.setattr(tillpost.flow.delivery.deliver, "_confirm", not_asked)


def receipts_before_their_contacts(patch: pytest.MonkeyPatch) -> None:
    """A contacts file that is up counts as imported."""
    unconfirmed = FileStates.unconfirmed_contacts

    def hasty(self: FileStates) -> list[FileStatus]:
        return [standing for standing in unconfirmed(self) if standing.state is FileState.WRITTEN]

    patch.setattr(FileStates, "unconfirmed_contacts", hasty)


def two_hands_on_one_receipt(patch: pytest.MonkeyPatch) -> None:
    """A claim keeps nobody else from the receipt."""
    patch.setattr(ProcessClaims, "claim", lambda self, seqs, limit: set(list(seqs)[:limit]))


def proved_by_nothing(patch: pytest.MonkeyPatch) -> None:
    """What went up with a file that was read counts as delivered, whatever the history shows."""

    def all_of_them(line: Line, key: str, receipts: list[Entry]) -> History:
        return History(shown=frozenset(entry.id for entry in receipts))

    patch.setattr(tillpost.flow.fallback.reconcile, "_shown_receipts", all_of_them)


def verified_without_looking(patch: pytest.MonkeyPatch) -> None:
    """Whatever a history shows, it is taken to show all that was asked for."""

    def all_of_them(line: Line, contact: Contact, entries: Sequence[Entry]) -> History:
        return History(shown=frozenset(entry.id for entry in entries))

    patch.setattr(tillpost.flow.delivery.verify, "read_history", all_of_them)


def never_missed(patch: pytest.MonkeyPatch) -> None:
    """What a history does not show is looked for again and again."""
    looked = tillpost.flow.delivery.verify._Round

    def later(self: Any, contact: object, absent: Sequence[Entry]) -> bool:
        self._postpone(absent)
        return True

    for name in ("_find_out", "_look_anew"):
        patch.setattr(looked, name, later)


def a_group_left_out_of_the_account(patch: pytest.MonkeyPatch) -> None:
    """The rows of a document's last group are not recorded as its own."""
    record_rows = tillpost.journal.tables.documents.record_rows

    def left_out(transaction: Transaction, document: int, first: int, last: int) -> None:
        record_rows(transaction, document, first, last - 1)

    patch.setattr(tillpost.journal.tables.receipts, "record_rows", left_out)


def a_document_is_never_to_blame(patch: pytest.MonkeyPatch) -> None:
    """That the process ended with a document in hand is not counted."""
    patch.setattr(DocumentsInHand, "examine", lambda self, reading, documents, trials, now: None)


def set_aside_untold(patch: pytest.MonkeyPatch) -> None:
    """The source is told that a document cannot be read, and nobody else."""
    patch.setattr(Documents, "set_aside", lambda self, reading, reason, now, place="": None)


PLANTED: Iterable[tuple[Plant, str, str]] = (
    (acknowledged_before_the_commit, "safety", "acknowledged and lost"),
    (deleted_before_the_journal_knows, "safety", "is not on the disk as it was written"),
    (a_new_id_on_retry, "safety", "given an id no till made|came as .* and as"),
    (no_intent_in_the_journal, "liveness", "sent again without asking the history"),
    (repeated_without_asking, "liveness", "sent again without asking the history"),
    (receipts_before_their_contacts, "safety", "came before its contact"),
    (two_hands_on_one_receipt, "safety", "from delivered to"),
    (proved_by_nothing, "liveness", "counts as verified, and Engage does not have it"),
    (verified_without_looking, "liveness", "counts as verified, and Engage does not have it"),
    (never_missed, "liveness", "not settled within"),
    (a_group_left_out_of_the_account, "safety", "the account has"),
    (a_document_is_never_to_blame, "liveness", "a document ended the process"),
    (set_aside_untold, "liveness", "was set aside, and nothing says so"),
)


@pytest.mark.parametrize(("plant", "mode", "invariant"), PLANTED, ids=[plant.__name__ for plant, _, _ in PLANTED])
def test_a_planted_bug_is_caught_and_named(
    plant: Plant, mode: str, invariant: str, monkeypatch: pytest.MonkeyPatch, measured: Callable[[str], None]
) -> None:
    forget = plant(monkeypatch)
    failure: Failure | None = None
    with memory_folder() as folder:
        for seed in range(MOST):
            if callable(forget):
                forget()
            failure = run(seed, mode, folder)
            if failure is not None:
                break
    assert failure is not None, f"{MOST} seeds without a violation"
    measured(f"{plant.__name__}: seed {failure.seed} of at most {MOST}, {failure.message}")
    assert re.search(invariant, failure.message), str(failure)
