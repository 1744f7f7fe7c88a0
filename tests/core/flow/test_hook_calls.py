"""Every call of a plugin survives whatever the plugin raises, and says whose fault it is and where."""

from __future__ import annotations

import asyncio
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.support.receipts import DOCUMENT, found, receipt
from tillpost.errors import DiskFailed, DocumentError, Interrupted, JournalDamaged, PluginError, Stopped, TillpostError
from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Contact, FallbackBatch, FallbackFile, Identifier, MaybeSent, NotSent, Payload

RECEIPT = receipt()
MATCH = Identifier("contactId", "guid")
CONTACT = Contact(key="c", contact_id="guid")
PAYLOAD = Payload(receipt_id=RECEIPT.id, match=MATCH, fields={})
FILE = FallbackFile(name="f.xml", kind="receipts", sha256="", size=1, keys=(), path=Path("f.xml"))
BATCH = FallbackBatch(
    created=(), updated=(), receipts=(), stamp=datetime(2026, 11, 30, tzinfo=UTC), sequence=1, folder=Path("x")
)
CALLS: dict[str, Callable[[HookCalls], Any]] = {
    "collect_documents": lambda hooks: hooks.collect_documents(lambda document: {}),
    "serve_documents": lambda hooks: hooks.serve_documents(lambda document: {}, None),  # type: ignore[arg-type]
    "parse_receipts": lambda hooks: list(hooks.parse_receipts(DOCUMENT)),
    "resolve_contact": lambda hooks: hooks.resolve_contact(CONTACT),
    "may_create_contact": lambda hooks: hooks.may_create_contact(CONTACT),
    "update_contact": lambda hooks: hooks.update_contact(CONTACT, {"city": "x"}),
    "map_receipt": lambda hooks: hooks.map_receipt(RECEIPT, MATCH),
    "amend_payload": lambda hooks: hooks.amend_payload(PAYLOAD, RECEIPT),
    "deliver": lambda hooks: hooks.deliver(PAYLOAD),
    "probe": lambda hooks: hooks.probe(),
    "confirm_receipts": lambda hooks: hooks.confirm_receipts(CONTACT, []),
    "contacts_gone": lambda hooks: hooks.contacts_gone(datetime(2026, 3, 14, tzinfo=UTC)),
    "match_in_file": lambda hooks: hooks.match_in_file(CONTACT),
    "write_files": lambda hooks: hooks.write_files(BATCH),
    "transfer": lambda hooks: hooks.transfer(FILE),
    "find_transferred": lambda hooks: hooks.find_transferred(FILE),
    "reconcile_contact": lambda hooks: hooks.reconcile_contact(CONTACT),
    "probe_transfer": lambda hooks: hooks.probe_transfer(trial=False, folders=()),
    "probe_source": lambda hooks: hooks.probe_source(),
    "find_taken": lambda hooks: hooks.find_taken(5.0),
    "retry_document": lambda hooks: hooks.retry_document("name", "sha"),
}
SECRET = "anna@example.com"
RAISED: list[BaseException] = [
    SystemExit(SECRET),
    KeyboardInterrupt(SECRET),
    GeneratorExit(SECRET),
    asyncio.CancelledError(SECRET),
    MemoryError(SECRET),
    RecursionError(SECRET),
    ExceptionGroup(SECRET, [ValueError(SECRET)]),
    BaseExceptionGroup(SECRET, [SystemExit(SECRET)]),
    StopIteration(SECRET),
    KeyError(SECRET),
]
REQUESTS = {"deliver": MaybeSent, "transfer": MaybeSent} | dict.fromkeys(
    (
        "probe",
        "resolve_contact",
        "update_contact",
        "reconcile_contact",
        "confirm_receipts",
        "contacts_gone",
        "find_transferred",
        "probe_transfer",
        "probe_source",
    ),
    NotSent,
)


def raising(error: BaseException) -> HookCalls:
    def call(**given: Any) -> Any:
        raise error

    return HookCalls({name: [("faulty", call)] for name in (*CALLS, "observe")})


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
@pytest.mark.parametrize("hook", CALLS)
def test_k7_what_a_hook_raises_becomes_an_error_that_names_the_plugin_its_type_and_its_line(
    hook: str, error: BaseException
) -> None:
    with pytest.raises(PluginError) as caught:
        CALLS[hook](raising(error))
    assert str(caught.value).startswith(f"plugin 'faulty': {hook} raised {type(error).__name__} at {__file__}:")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_k7_an_observer_that_raises_anything_keeps_no_event_from_the_next(error: BaseException) -> None:
    seen: list[Any] = []

    def call(**given: Any) -> None:
        raise error

    hooks = HookCalls({"observe": [("faulty", call), ("good", lambda event: seen.append(event))]})
    with pytest.raises(PluginError) as failed:
        hooks.observe(0, {"seq": 1})
    assert hooks.observe(1, {"seq": 1}) is None
    assert (failed.value.plugin, seen) == ("faulty", [{"seq": 1}])


@pytest.mark.parametrize("error", RAISED, ids=lambda error: type(error).__name__)
def test_k7_an_adapter_may_raise_anything_in_the_middle_of_a_document(error: BaseException) -> None:
    records = [found(number="1"), found(number="2")]

    class Records:
        """An iterator of its own: a generator would turn StopIteration into RuntimeError."""

        def __init__(self) -> None:
            self.left = list(records)

        def __iter__(self) -> Iterator[Any]:
            return self

        def __next__(self) -> Any:
            if not self.left:
                raise error
            return self.left.pop(0)

    read: list[Any] = []
    parsed = HookCalls({"parse_receipts": [("faulty", lambda document: Records())]}).parse_receipts(DOCUMENT)
    if isinstance(error, StopIteration):
        assert list(parsed) == records
        return
    with pytest.raises(PluginError, match=f"parse_receipts raised {type(error).__name__} at "):
        read.extend(parsed)
    assert read == records


def test_k7_a_document_that_is_left_in_the_middle_closes_its_generator_whatever_that_raises() -> None:
    def parse(document: Any) -> Iterator[Any]:
        try:
            yield found(number="1")
        finally:
            raise SystemExit(SECRET)

    parsed = HookCalls({"parse_receipts": [("faulty", parse)]}).parse_receipts(DOCUMENT)
    next(parsed)
    with pytest.raises(PluginError, match="parse_receipts raised SystemExit at "):
        parsed.close()  # type: ignore[attr-defined]


@pytest.mark.parametrize("hook", REQUESTS)
def test_k7_an_os_error_out_of_a_request_is_a_request_without_an_answer(hook: str) -> None:
    outcome = CALLS[hook](raising(ConnectionResetError(SECRET)))
    assert isinstance(outcome, REQUESTS[hook])
    assert f"plugin 'faulty' raised ConnectionResetError at {__file__}:" in outcome.reason
    assert SECRET not in outcome.reason


@pytest.mark.parametrize("hook", ["map_receipt", "amend_payload", "match_in_file"])
def test_k7_an_os_error_out_of_a_mapping_is_a_fault_of_the_plugin_and_not_of_the_destination(hook: str) -> None:
    with pytest.raises(PluginError, match=f"{hook} raised FileNotFoundError at "):
        CALLS[hook](raising(FileNotFoundError(SECRET)))


@pytest.mark.parametrize(
    "error",
    [Stopped("x"), DiskFailed("x"), JournalDamaged("x", Path()), DocumentError("x", "y"), TillpostError("x")],
    ids=lambda error: type(error).__name__,
)
def test_k7_an_error_of_ours_that_a_plugin_raises_ends_nothing(error: TillpostError) -> None:
    """Only a source calls back into the flow; out of any other hook such an error is not what it says."""
    for hook in CALLS.keys() - {"collect_documents", "serve_documents", "parse_receipts"}:
        with pytest.raises(PluginError, match=f"{hook} raised {type(error).__name__} at "):
            CALLS[hook](raising(error))


@pytest.mark.parametrize("hook", CALLS)
def test_a_person_who_presses_ctrl_c_ends_the_command(hook: str) -> None:
    with pytest.raises(Interrupted):
        CALLS[hook](raising(Interrupted()))


def test_the_place_named_is_the_plugins_own_line_and_not_that_of_a_library_it_calls() -> None:
    def call(**given: Any) -> Any:
        import json

        return json.loads(SECRET)

    with pytest.raises(PluginError, match=rf"map_receipt raised JSONDecodeError at {__file__}:\d+$"):
        HookCalls({"map_receipt": [("faulty", call)]}).map_receipt(RECEIPT, MATCH)
