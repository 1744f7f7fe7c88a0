"""The suites of the other hooks see what they are for: small plugins, each with one fault, on a destination in
memory."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Plugin, hookimpl, simple
from tillpost.model import (
    Contact,
    Delivered,
    FallbackBatch,
    FallbackFile,
    Gone,
    History,
    Identified,
    Identifier,
    NotSent,
    Outcome,
    Payload,
    Receipt,
    ReceiptRef,
    WrittenFiles,
)
from tillpost.testing import FakeDestination, FallbackSuite, ResolverSuite, TransferSuite, TransportSuite
from tillpost.testing.suite import Suite


def failure(suite: Suite, promise: str, folder: Path) -> str:
    """What a suite says of a promise; "" when it is kept."""
    try:
        getattr(suite, f"test_{promise}")(folder)
    except pytest.fail.Exception as failed:
        return str(failed)
    return ""


@attrs.frozen(kw_only=True)
class Settings:
    """Nothing to set."""


def one(slot: str, hooks: object) -> Plugin:
    return simple("small", slot, Settings, lambda _settings, _context: hooks)


class Careless:
    """A transport that takes any fault for "not sent"."""

    def __init__(self) -> None:
        self.taken: list[str] = []

    @hookimpl
    def deliver(self, payload: Payload) -> Outcome:
        self.taken.append(payload.receipt_id)
        return NotSent(reason="no answer for C-1001")

    @hookimpl
    def probe(self) -> Outcome:
        return Delivered()

    @hookimpl
    def confirm_receipts(self, contact: Contact, receipts: Sequence[ReceiptRef]) -> History:
        return History(shown=frozenset(self.taken))

    @hookimpl
    def contacts_gone(self, since: datetime) -> frozenset[str]:
        return frozenset()


class CarelessSuite(TransportSuite):
    double = Careless()
    plugin = one("transport", double)

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        self.double.taken.clear()
        yield FakeDestination(uses={"transport": {}}, holds=lambda: self.double.taken)

    def payload(self, fake: FakeDestination, folder: Path) -> Payload:
        return Payload(receipt_id="r", match=Identifier("externalId", "C-1001"), fields={})


def test_not_sent_after_the_body_left_is_seen(tmp_path: Path) -> None:
    assert "NotSent would send it again" in failure(CarelessSuite(), "reset", tmp_path)


def test_a_failure_taken_for_an_empty_history_is_seen(tmp_path: Path) -> None:
    assert "empty history" in failure(CarelessSuite(), "history", tmp_path)


def test_a_failure_taken_for_no_contact_that_is_gone_is_seen(tmp_path: Path) -> None:
    assert "failed names no contacts" in failure(CarelessSuite(), "gone_contacts", tmp_path)


def test_a_reason_that_shows_who_bought_is_seen(tmp_path: Path) -> None:
    assert "who bought" in failure(CarelessSuite(), "unreachable", tmp_path)


def test_a_wrong_key_taken_for_a_fault_is_seen(tmp_path: Path) -> None:
    assert "not Misconfigured" in failure(CarelessSuite(), "wrong_key", tmp_path)


class Maker:
    """A resolver that makes a contact whenever it is asked."""

    def __init__(self) -> None:
        self.contacts: dict[str, dict[str, str]] = {}

    @hookimpl
    def resolve_contact(self, contact: Contact) -> Identified:
        contact_id = str(len(self.contacts))
        self.contacts[contact_id] = dict(contact.attributes)
        return Identified(contact_id=contact_id, created=True)

    @hookimpl
    def update_contact(self, contact: Contact, changes: Mapping[str, str]) -> Identified | Gone:
        self.contacts[contact.contact_id] |= changes
        return Identified(contact_id=contact.contact_id)


class MakerSuite(ResolverSuite):
    double = Maker()
    plugin = one("resolve", double)

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        held = self.double.contacts
        held.clear()

        def add(**attributes: str) -> str:
            held["there"] = attributes
            return "there"

        yield FakeDestination(uses={"resolve": {}}, holds=lambda: list(held.values()), add=add)


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ("found", "another contact"),
        ("unknown", "1 contacts"),
        ("created_once", "2 contacts"),
        ("several", "not Conflict"),
        ("nothing_empty", "overwritten"),
        ("unreachable", "Identified"),
    ],
)
def test_a_resolver_that_makes_first_and_sends_all_is_seen(promise: str, message: str, tmp_path: Path) -> None:
    assert message in failure(MakerSuite(), promise, tmp_path)


class Direct:
    """A transfer that writes under the final name and looks at nothing."""

    def __init__(self) -> None:
        self.there: dict[str, bytes] = {}
        self.cut = False

    @hookimpl
    def transfer(self, file: FallbackFile) -> Outcome:
        content = file.path.read_bytes()
        self.there[file.name] = content[: len(content) // 2] if self.cut else content
        return NotSent(reason="cut") if self.cut else Delivered()

    @hookimpl
    def find_transferred(self, file: FallbackFile) -> bool:
        return True

    @hookimpl
    def probe_transfer(self, folders: tuple[str, ...], trial: bool) -> Outcome:
        if trial:
            self.there["probe.txt"] = b"?"
        return Delivered()


class DirectSuite(TransferSuite):
    double = Direct()
    plugin = one("transfer", double)

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        self.double.there, self.double.cut = {}, fault == "cut"

        def add(name: str, content: str) -> str:
            self.double.there[name] = content.encode()
            return name

        yield FakeDestination(uses={"transfer": {}}, holds=lambda: self.double.there, add=add)


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ("other_file", "overwritten"),
        ("cut", "lies there under its name"),
        ("found", "True and True"),
        ("unreachable", "not NotSent"),
        ("probe", "it leaves a file there"),
        ("changed_here", "it is sent"),
    ],
)
def test_a_transfer_that_writes_where_it_is_read_is_seen(promise: str, message: str, tmp_path: Path) -> None:
    assert message in failure(DirectSuite(), promise, tmp_path)


class Heap:
    """A fallback that writes everything into one file."""

    @hookimpl
    def match_in_file(self, contact: Contact) -> Identifier | None:
        return contact.identifiers[0] if contact.identifiers else Identifier("email", "nobody@example.com")

    @hookimpl
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        return Payload(
            receipt_id=receipt.id, match=match, fields={"names": [line.article_name for line in receipt.lines]}
        )

    @hookimpl
    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        batch.folder.mkdir(parents=True, exist_ok=True)
        path = batch.folder / f"{batch.stamp:%Y%m%d%H%M%S}.txt"
        content = "\n".join(str(name) for receipt in batch.receipts for name in receipt.fields["names"]).encode()
        path.write_bytes(content)
        keys = tuple(receipt.receipt_id for receipt in batch.receipts)
        digest = hashlib.sha256(content).hexdigest()
        return WrittenFiles(
            files=(
                FallbackFile(name=path.name, kind="receipts", sha256=digest, size=len(content), keys=keys, path=path),
            )
        )


class HeapSuite(FallbackSuite):
    double = Heap()
    plugin = Plugin(
        summary="small",
        slots={"fallback": Settings, "map": Settings},
        build=lambda uses, _: [HeapSuite.double] * len(uses),
    )
    map_plugin = plugin


@pytest.mark.parametrize(
    ("promise", "message"),
    [
        ("contacts_first", "order is receipts"),
        ("one_match_type", "mixes them"),
        ("limit", "with 3 lines allowed"),
        ("cleaned", "still there"),
        ("refused_alone", "refused are []"),
        ("names", "one name"),
        ("nothing", "a file is written"),
        ("match", "without keys"),
    ],
)
def test_a_fallback_that_heaps_everything_up_is_seen(promise: str, message: str, tmp_path: Path) -> None:
    assert message in failure(HeapSuite(), promise, tmp_path)


def test_what_is_refused_by_nobody_is_seen(tmp_path: Path) -> None:
    assert "not Refused" in failure(CarelessSuite(), "refused", tmp_path)


def test_a_destination_that_is_not_written_is_named(tmp_path: Path) -> None:
    class Unwritten(TransportSuite):
        plugin = CarelessSuite.plugin

    with pytest.raises(NotImplementedError, match="write `destination` for Unwritten"):
        Unwritten().test_delivered(tmp_path)


def every(suite: type[Suite]) -> dict[str, Any]:
    return dict(suite.promises())


@pytest.mark.parametrize("suite", [FallbackSuite, ResolverSuite, TransferSuite, TransportSuite])
def test_every_promise_says_what_it_promises(suite: type[Suite]) -> None:
    assert all(every(suite).values())
