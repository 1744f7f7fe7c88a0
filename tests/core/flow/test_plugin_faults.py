"""A plugin that gives the wrong thing is named where it did so, with what was expected, and the log has it once."""

from __future__ import annotations

import inspect
import logging
import re
import threading
from collections.abc import Callable, Iterator, Mapping
from datetime import UTC, datetime
from decimal import Decimal
from pathlib import Path
from typing import Any

import attrs
import pluggy
import pytest

from tests.support.receipts import DOCUMENT, found, receipt
from tillpost import hookimpl, simple
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import InvalidValue, PluginError
from tillpost.flow.hook_calls import HookCalls
from tillpost.hookspecs import Hooks
from tillpost.model import (
    Document,
    DocumentTrouble,
    Found,
    Identified,
    Identifier,
    NotSent,
    Payload,
    Receipt,
    Refused,
    Throttled,
)
from tillpost.trace import working_on

RECEIPT = receipt()
MATCH = Identifier("contactId", "guid")
PAYLOAD = Payload(receipt_id=RECEIPT.id, match=MATCH, fields={"total": Decimal(1)})
SECRET = "anna@example.se"


def collecting(collect: Callable[..., Any]) -> HookCalls:
    return HookCalls({"collect_documents": [("till", collect)]})


def accept(document: Document) -> dict[str, int]:
    assert isinstance(document, Document), "the flow takes nothing else"
    return {}


def report(trouble: DocumentTrouble) -> None:
    assert isinstance(trouble, DocumentTrouble), "the flow takes nothing else"


HANDED: dict[str, tuple[Callable[..., Any], str]] = {
    "bytes": (lambda accept, report: accept(SECRET.encode()), "gave a bytes where a Document is meant"),
    "text": (lambda accept, report: accept(SECRET), "gave a str where a Document is meant"),
    "a path": (lambda accept, report: accept(Path(SECRET)), "gave a PosixPath where a Document is meant"),
    "nothing": (lambda accept, report: accept(None), "gave a NoneType where a Document is meant"),
    "a receipt": (lambda accept, report: accept(RECEIPT), "gave a Receipt where a Document is meant"),
    "a document without a digest": (
        lambda accept, report: accept(Document(name="a", sha256="", content=SECRET.encode())),
        "gave a Document whose sha256 is not that of its content",
    ),
    "a document with another's digest": (
        lambda accept, report: accept(Document(name="a", sha256="0" * 64, content=SECRET.encode())),
        "gave a Document whose sha256 is not that of its content",
    ),
    "a file with a digest in another form": (
        lambda accept, report: accept(Document(name="a", sha256="AB" * 32, path=Path(__file__))),
        "gave a Document whose sha256 is not that of its content",
    ),
    "a number as cursor": (lambda accept, report: accept(DOCUMENT, cursor=7), "gave an int where a cursor is meant"),
    "bytes as cursor": (lambda accept, report: accept(DOCUMENT, cursor=b"7"), "gave a bytes where a cursor is meant"),
    "a time as cursor": (
        lambda accept, report: accept(DOCUMENT, cursor=datetime(2026, 1, 1, tzinfo=UTC)),
        "gave a datetime where a cursor is meant",
    ),
    "text as trouble": (lambda accept, report: report(SECRET), "gave a str where a DocumentTrouble is meant"),
    "an error as trouble": (
        lambda accept, report: report(ValueError(SECRET)),
        "gave a ValueError where a DocumentTrouble is meant",
    ),
    "a table as trouble": (
        lambda accept, report: report({"name": SECRET}),
        "gave a dict where a DocumentTrouble is meant",
    ),
}


@pytest.mark.parametrize("name", HANDED)
def test_m8_what_a_source_hands_over_is_judged_at_its_own_line(name: str) -> None:
    """It would end the thread of the source, and be a fault of whoever met it next."""
    call, said = HANDED[name]
    with pytest.raises(PluginError) as caught:
        collecting(lambda accept, report, stopping: call(accept, report)).collect_documents(accept, report)
    place = f"{__file__}:{call.__code__.co_firstlineno}"
    assert str(caught.value).startswith(f"plugin 'till': collect_documents {said} at {place}; ")
    assert SECRET not in str(caught.value)


@pytest.mark.parametrize("name", [name for name in HANDED if "trouble" not in name])
def test_m8_what_a_source_that_serves_hands_over_is_judged_too(name: str) -> None:
    call, said = HANDED[name]
    hooks = HookCalls({"serve_documents": [("till", lambda accept, stopping, ready: call(accept, report))]})
    with pytest.raises(PluginError, match=f"plugin 'till': serve_documents {said} at {__file__}"):
        hooks.serve_documents(accept, threading.Event())


def yields_a_dict(document: Document) -> Iterator[Any]:
    yield found(number="1")
    yield found(number="2")
    yield {"number": SECRET}


def yields_from_another(document: Document) -> Iterator[Any]:
    yield found(number="1")
    yield from yields_a_dict(document)


@pytest.mark.parametrize(
    ("parse", "record"),
    [(yields_a_dict, 3), (yields_from_another, 4)],
)
def test_m10_a_record_that_is_none_is_named_by_its_number_and_the_line_that_gave_it(
    parse: Callable[..., Any], record: int
) -> None:
    place = f"{__file__}:{yields_a_dict.__code__.co_firstlineno + 3}"
    with pytest.raises(PluginError) as caught:
        list(HookCalls({"parse_receipts": [("till", parse)]}).parse_receipts(DOCUMENT))
    assert str(caught.value) == (
        f"plugin 'till': parse_receipts gave a dict at {place} (record {record}), which its contract does not allow:"
        " it gives Found, NoReceipt or Broken"
    )


def test_m10_a_list_of_records_is_judged_without_a_line() -> None:
    with pytest.raises(PluginError, match=r"parse_receipts gave a str \(record 2\), which"):
        list(HookCalls({"parse_receipts": [("till", lambda document: [found(), SECRET])]}).parse_receipts(DOCUMENT))


def test_m5_what_a_parser_raises_is_told_with_the_record_that_was_being_read() -> None:
    def parse(document: Document) -> Iterator[Any]:
        yield found(number="1")
        yield dict[str, str]()[SECRET]

    with pytest.raises(PluginError, match=rf"parse_receipts raised KeyError at {__file__}:\d+ \(record 2\)$"):
        list(HookCalls({"parse_receipts": [("till", parse)]}).parse_receipts(DOCUMENT))


def test_a_list_of_records_is_as_good_as_a_generator() -> None:
    """Through pluggy, as a pipeline calls it: a list is an answer there, and not a list of answers."""

    class Till:
        @hookimpl
        def parse_receipts(self, document: Document) -> list[Any]:
            return [found(number="1"), found(number="2")]

    plugin = simple("A till", "adapter", Nothing, lambda settings, context: Till())
    hooks = standalone_hooks("till", plugin, {"adapter": {}}, folder=Path())
    assert len(list(hooks.parse_receipts(DOCUMENT))) == 2


@attrs.frozen
class Nothing:
    pass


ANSWERS: dict[str, tuple[Callable[[HookCalls], Any], Any, str]] = {
    "deliver": (lambda hooks: hooks.deliver(PAYLOAD), True, "it gives Delivered, NotSent, MaybeSent, Refused"),
    "probe": (lambda hooks: hooks.probe(), 200, "it gives Delivered, NotSent, MaybeSent, Refused"),
    "map_receipt": (lambda hooks: hooks.map_receipt(RECEIPT, MATCH), {"total": 1}, "it gives a Payload"),
    "collect_documents": (lambda hooks: hooks.collect_documents(accept), True, "it gives int, NotSent, Throttled or"),
    "import_folders": (lambda hooks: hooks.import_folders(), ["in"], "it gives a tuple"),
    "may_create_contact": (lambda hooks: hooks.may_create_contact(None), "yes", "it gives a bool"),  # type: ignore[arg-type]
}


@pytest.mark.parametrize("hook", ANSWERS)
def test_m10_an_answer_of_another_kind_is_told_with_those_there_are(hook: str) -> None:
    call, answer, said = ANSWERS[hook]
    with pytest.raises(PluginError, match=rf"plugin 'till': {hook} gave an? \w+ at {__file__}:\d+, .*{said}"):
        call(HookCalls({hook: [("till", lambda **given: answer)]}))


@pytest.mark.parametrize("answer", [-1, -(10**30)])
def test_m10_a_count_of_documents_that_can_be_none_is_told(answer: Any) -> None:
    with pytest.raises(
        PluginError, match=rf"collect_documents gave {answer} at {__file__}:\d+: a count is never below"
    ):
        collecting(lambda **given: answer).collect_documents(accept)


def test_documents_are_counted_as_they_are_handed_over_whatever_the_source_says() -> None:
    """A source that says 0 would be taken for one that has nothing more."""

    def collect(accept: Callable[[Document], Any], report: Any, stopping: Any) -> int:
        accept(DOCUMENT)
        accept(DOCUMENT)
        return 0

    assert collecting(collect).collect_documents(accept) == 2


@pytest.mark.parametrize("hook", ["deliver", "probe", "map_receipt", "collect_documents"])
def test_m10_a_forgotten_return_is_told_as_one(hook: str) -> None:
    with pytest.raises(
        PluginError, match=rf"{hook} gave no answer at {__file__}:\d+ \(is a `return` missing\?\): it gives "
    ):
        ANSWERS[hook][0](HookCalls({hook: [("till", lambda **given: None)]}))


MADE: dict[str, tuple[Callable[[HookCalls], Any], Callable[..., Any], str]] = {
    "parse_receipts": (
        lambda hooks: list(hooks.parse_receipts(DOCUMENT)),
        lambda document: [Found(receipt=RECEIPT, raw=SECRET)],  # type: ignore[arg-type]
        "Found: raw is a str; it must be bytes",
    ),
    "collect_documents": (
        lambda hooks: hooks.collect_documents(accept),
        lambda **given: DocumentTrouble(name=7, reason=SECRET),  # type: ignore[arg-type]
        "DocumentTrouble: name is an int; it must be text",
    ),
    "resolve_contact": (
        lambda hooks: hooks.resolve_contact(None),  # type: ignore[arg-type]
        lambda contact: Identified(contact_id=7),  # type: ignore[arg-type]
        "Identified: contact_id is an int",
    ),
    "map_receipt": (
        lambda hooks: hooks.map_receipt(RECEIPT, MATCH),
        lambda receipt, match: Payload(receipt_id=7, match=match, fields={}),  # type: ignore[arg-type]
        "receipt_id is an int; it must be text",
    ),
    "amend_payload": (
        lambda hooks: hooks.amend_payload(PAYLOAD, RECEIPT),
        lambda payload, receipt: attrs.evolve(payload, fields=[SECRET]),
        "fields is a list; it must be a mapping",
    ),
    "deliver": (
        lambda hooks: hooks.deliver(PAYLOAD),
        lambda payload: Refused(reason=400),  # type: ignore[arg-type]
        "Refused: reason is an int; it must be text",
    ),
    "probe": (
        lambda hooks: hooks.probe(),
        lambda: Throttled(reason=SECRET, retry_after="60"),  # type: ignore[arg-type]
        "Throttled: retry_after is a str",
    ),
    "transfer": (
        lambda hooks: hooks.transfer(None),  # type: ignore[arg-type]
        lambda file: NotSent(reason=OSError(SECRET)),  # type: ignore[arg-type]
        "NotSent: reason is an OSError; it must be text",
    ),
    "observe": (
        lambda hooks: hooks.observe(0, {}),
        lambda event: NotSent(reason=None),  # type: ignore[arg-type]
        "NotSent: reason is None; it must be text",
    ),
}


@pytest.mark.parametrize("hook", MADE)
def test_m8_a_value_of_the_wrong_type_is_told_with_the_plugins_line(hook: str) -> None:
    """Whoever met it next would name another plugin, or none."""
    call, implementation, said = MADE[hook]
    with pytest.raises(PluginError) as caught:
        call(HookCalls({hook: [("till", implementation)]}))
    told = str(caught.value)
    place = f"{__file__}:{implementation.__code__.co_firstlineno}"
    assert told.startswith(f"plugin 'till': {hook} made a wrong value at {place}")
    assert said in told
    assert SECRET not in told


def test_m5_what_is_wrong_with_a_record_and_is_let_out_has_its_line_and_its_text() -> None:
    def parse(document: Document) -> Iterator[Any]:
        yield found(number="1")
        raise InvalidValue("the total is missing", place="line 2")

    hooks = HookCalls({"parse_receipts": [("till", parse)]})
    with pytest.raises(PluginError, match=rf"at {__file__}:\d+ \(record 2\): line 2: the total is missing$"):
        list(hooks.parse_receipts(DOCUMENT))


BODIES: dict[str, tuple[dict[Any, Any], str]] = {
    "a time": ({"when": datetime(2026, 1, 1, tzinfo=UTC)}, "when is a datetime"),
    "a float": ({"extraData": {"points": 1.5}}, "extraData.points is a float"),
    "a set": ({"tags": {"a"}}, "tags is a set"),
    "bytes in a list": ({"items": [{"sku": "A"}, {"sku": b"B"}]}, r"items\[1\].sku is a bytes"),
    "a number as key": ({"extraData": {7: "x"}}, "a key of extraData is an int, not text"),
    "a model value": ({"receipt": RECEIPT}, "receipt is a Receipt"),
}


@pytest.mark.parametrize("name", BODIES)
def test_m13_a_body_that_cannot_be_sent_is_the_fault_of_the_plugin_that_gave_it(name: str) -> None:
    """The transport would stumble over it, and be named."""
    body, said = BODIES[name]
    hooks = HookCalls(
        {
            "amend_payload": [
                ("first", lambda payload, receipt: None),
                ("guilty", lambda payload, receipt: attrs.evolve(payload, fields={**payload.fields, **body})),
                ("last", lambda payload, receipt: pytest.fail("it is asked with a body nobody can send")),
            ]
        }
    )
    where = rf"amend_payload at {re.escape(__file__)}:\d+"
    with pytest.raises(PluginError, match=f"plugin 'guilty': {where} gave a body that cannot be sent: {said}"):
        hooks.amend_payload(PAYLOAD, RECEIPT)


class Own:
    """A map plugin that gives a body."""

    def __init__(self, body: Any) -> None:
        self.body = body

    @hookimpl
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        return Payload(receipt_id=receipt.id, match=match, fields=self.body)


@pytest.mark.parametrize("name", BODIES)
def test_m13_a_body_that_cannot_be_sent_is_the_fault_of_the_mapping_that_gave_it(name: str) -> None:
    """With the line of its hook, as pluggy calls it: the transport was called faulty, and asked with it."""
    body, said = BODIES[name]
    manager = pluggy.PluginManager("tillpost")
    manager.add_hookspecs(Hooks)
    manager.register(Own({"total": Decimal(1), **body}), "own")
    hooks = HookCalls({"map_receipt": [("guilty", manager.subset_hook_caller("map_receipt", []))]})
    line = inspect.getsourcelines(Own.map_receipt)[1] + 1
    where = f"map_receipt at {re.escape(__file__)}:{line}"
    with pytest.raises(PluginError, match=f"plugin 'guilty': {where} gave a body that cannot be sent: {said}"):
        hooks.map_receipt(RECEIPT, MATCH)


class Lazy(Mapping[str, Any]):
    """A body that is computed when it is read, and then fails."""

    def __init__(self, values: Mapping[str, Any]) -> None:
        self._values = values

    def __len__(self) -> int:
        return len(self._values)

    def __iter__(self) -> Iterator[str]:
        return iter(self._values)

    def __getitem__(self, name: str) -> Any:
        raise KeyError(SECRET)


def deep() -> dict[str, Any]:
    body: dict[str, Any] = {}
    body["again"] = body
    return body


@pytest.mark.parametrize(("body", "said"), [(Lazy({"a": 1}), "raised KeyError"), (deep(), "raised RecursionError")])
@pytest.mark.parametrize("hook", ["map_receipt", "amend_payload"])
def test_m13_a_body_that_fails_when_it_is_read_is_the_fault_of_the_plugin_that_gave_it(
    hook: str, body: Any, said: str
) -> None:
    """It was called a fault of Tillpost itself, and with a mapping one of the transport."""
    given = attrs.evolve(PAYLOAD, receipt_id=RECEIPT.id, match=MATCH, fields=body)
    hooks = HookCalls({hook: [("guilty", lambda **_: given)]})
    asked = (RECEIPT, MATCH) if hook == "map_receipt" else (attrs.evolve(given, fields={}), RECEIPT)
    with pytest.raises(PluginError, match=f"plugin 'guilty': {hook} {said}") as told:
        getattr(hooks, hook)(*asked)
    assert SECRET not in str(told.value)
    if isinstance(body, Lazy):
        assert f"{__file__}:{inspect.getsourcelines(Lazy.__getitem__)[1] + 1}" in str(told.value)


def test_a_body_of_every_kind_that_can_be_sent_is_left_alone() -> None:
    body = {"a": "x", "b": 1, "c": Decimal("1.50"), "d": True, "e": None, "f": ["x", {"g": ()}]}
    hooks = HookCalls(
        {"amend_payload": [("own", lambda payload, receipt: attrs.evolve(payload, fields={**payload.fields, **body}))]}
    )
    assert hooks.amend_payload(PAYLOAD, RECEIPT).fields == {"total": Decimal(1), **body}


def fail(**given: Any) -> Any:
    raise KeyError(SECRET)


def test_m5_the_log_has_each_fault_with_what_it_is_about_and_does_not_repeat_it(
    caplog: pytest.LogCaptureFixture,
) -> None:
    hooks = HookCalls({"map_receipt": [("till", fail)], "deliver": [("other", fail)]})
    for _ in range(25):
        for call in (lambda: hooks.map_receipt(RECEIPT, MATCH), lambda: hooks.deliver(PAYLOAD)):
            with working_on("shop"), pytest.raises(PluginError):
                call()
    told = [record.getMessage() for record in caplog.records]
    about = f"at receipt {RECEIPT.id}, document {RECEIPT.raw.document}, {RECEIPT.raw.place}"
    assert [line for line in told if about in line and f"map_receipt raised KeyError at {__file__}:" in line] == told[
        ::2
    ]
    assert [f"at receipt {RECEIPT.id}" in line for line in told] == [True] * 4
    assert [line.endswith("(time 10)") for line in told] == [False, False, True, True]
    assert all(line.startswith("pipeline shop: plugin '") for line in told)
    assert SECRET not in caplog.text


def test_m5_a_command_that_tells_the_fault_itself_does_not_log_it_too(caplog: pytest.LogCaptureFixture) -> None:
    with pytest.raises(PluginError):
        HookCalls({"map_receipt": [("till", fail)]}).map_receipt(RECEIPT, MATCH)
    assert caplog.records == []


def test_debug_logs_the_lines_of_the_plugin_and_no_text(caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.DEBUG, "tillpost.flow")
    with pytest.raises(PluginError):
        HookCalls({"map_receipt": [("till", fail)]}).map_receipt(RECEIPT, MATCH)
    [lines] = [record.getMessage() for record in caplog.records if record.levelno == logging.DEBUG]
    assert f"{__file__}:{fail.__code__.co_firstlineno + 1} in fail | KeyError" in lines
    assert SECRET not in caplog.text


def test_m3_a_misspelt_field_of_an_outcome_names_the_nearest() -> None:
    def deliver(payload: Payload) -> Any:
        return NotSent(reason="busy", retry=5)  # type: ignore[call-arg]

    hooks = HookCalls({"deliver": [("mytill", deliver)]})
    with pytest.raises(PluginError) as caught:
        hooks.deliver(PAYLOAD)
    assert "deliver raised TypeError at " in str(caught.value)
    assert str(caught.value).endswith(": NotSent: no field 'retry'; did you mean 'retry_after'?")
