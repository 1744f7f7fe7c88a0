"""The hooks of a pipeline as the flow calls them: one typed method for each hook, every answer checked.

A plugin that gives an answer of the wrong type, or raises what its contract does not allow, becomes a PluginError that
names the plugin, the type of the error and the plugin's own line. That holds for every BaseException: `sys.exit` in a
plugin ends neither a thread nor the process. An OSError out of a request is a request without an answer.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Generator, Iterable, Iterator, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, TypeVar, cast, get_args

import attrs

from tillpost.errors import (
    DocumentError,
    Interrupted,
    InvalidValue,
    PluginError,
    TillpostError,
    WrongType,
    plugin_place_of,
)
from tillpost.flow.heartbeat import record_progress
from tillpost.flow.plugin_faults import (
    FaultLog,
    document_of,
    no_answer,
    place_of_hook,
    place_of_yield,
    trouble_of,
    unexpected,
    unsendable,
    wrong_type,
)
from tillpost.flow.timings import Timings
from tillpost.flow.worth_reading import worth_reading
from tillpost.model import (
    Broken,
    Conflict,
    Contact,
    Document,
    DocumentTrouble,
    Failure,
    FallbackBatch,
    FallbackFile,
    Found,
    Gone,
    History,
    Identified,
    Identifier,
    MaybeSent,
    Misconfigured,
    NoHints,
    NoHistory,
    NoReceipt,
    NotSent,
    Outcome,
    Parsed,
    Payload,
    Receipt,
    ReceiptRef,
    Tenant,
    Throttled,
    WrittenFiles,
)

Caller = Callable[..., Any]
_T = TypeVar("_T")
_OUTCOMES = frozenset(
    ("Delivered", "NotSent", "MaybeSent", "Refused", "Misconfigured", "Throttled", "Conflict", "Gone", "raised")
)
"""Outcomes that are counted by their own name. Any other is counted as `answered`, None as `none`."""

_Collected = int | NotSent | Throttled | Misconfigured
_END = object()
_RECORDS = (Found, NoReceipt, Broken)
_SOURCE = ("collect_documents", "serve_documents")
"""Hooks that call back into the flow, whose errors come out of them unchanged."""
_SEVERAL = ("parse_receipts", "import_folders")
"""Hooks whose answer may be a list itself."""
_READING = (*_SOURCE, "parse_receipts", "write_files")
"""Hooks that read or write files of this machine: an OSError is its trouble, and the step waits."""
_UNANSWERED: Mapping[str, type[MaybeSent | NotSent]] = {
    "deliver": MaybeSent, "transfer": MaybeSent, "resolve_contact": NotSent, "update_contact": NotSent,
    "reconcile_contact": NotSent, "confirm_receipts": NotSent, "contacts_gone": NotSent, "find_transferred": NotSent,
    "probe": NotSent, "probe_transfer": NotSent, "probe_source": NotSent,
    "observe": NotSent,
}  # fmt: skip
"""What an OSError out of a request means: whether a receipt or a file may have been sent."""


@attrs.frozen
class HookCalls:
    """The hooks of one pipeline.

    callers: hook name → (plugin name, its caller in the pipeline's pluggy manager), in the order of the file.
    """

    callers: Mapping[str, Sequence[tuple[str, Caller]]]
    lets_through: tuple[type[BaseException], ...] = (Interrupted,)
    """What ends the process and is no fault of a plugin."""
    faults: FaultLog = attrs.field(factory=FaultLog)
    timings: Timings = attrs.field(factory=Timings)
    """Of every hook except those of source and adapter, which take as long as their documents are large."""

    def implements(self, hook: str) -> bool:
        """Whether a plugin has this hook; for hooks a plugin may leave out."""
        return hook in self.callers

    def plugin_of(self, hook: str) -> str:
        """The name of the first plugin that has the hook; "" when none has."""
        callers = self.callers.get(hook, ())
        return callers[0][0] if callers else ""

    def source(self) -> str:
        """The name of the plugin that is the source; "" when the pipeline has none."""
        return self.plugin_of("collect_documents") or self.plugin_of("serve_documents")

    def collect_documents(
        self,
        accept: Callable[[Document], Mapping[str, int]],
        report: Callable[[DocumentTrouble], None] = lambda trouble: None,
        stopping: threading.Event | None = None,
    ) -> _Collected:
        """How many documents the source handed to `accept`, as counted here, or why it could not look for any.

        An error of `accept` is raised unchanged.
        """
        raised: list[BaseException] = []
        handed_over = 0

        def accept_and_note(document: Document, cursor: str | None = None) -> Mapping[str, int]:
            nonlocal handed_over
            handed = document_of(document, cursor)
            handed_over += 1
            try:
                return accept(handed)
            except BaseException as err:
                raised.append(err)
                raise

        try:
            given = {
                "accept": accept_and_note,
                "report": lambda trouble: report(trouble_of(trouble)),
                "stopping": stopping or threading.Event(),
            }
            answer: _Collected = self._required("collect_documents", _Collected, **given)
            if not isinstance(answer, int):
                return answer
            if answer < 0:
                name = self.plugin_of("collect_documents")
                where = self._place("collect_documents", name)
                raise PluginError(name, f"collect_documents gave {answer} at {where}: a count is never below 0")
            return max(answer, handed_over)
        except PluginError as err:
            if raised and err.__cause__ is raised[-1]:
                raise raised[-1] from None  # not the plugin's fault
            raise

    def serve_documents(
        self,
        accept: Callable[[Document], Mapping[str, int]],
        stopping: threading.Event,
        ready: Callable[[], object] = lambda: None,
    ) -> NotSent | Throttled | Misconfigured | None:
        """Let the source serve until `stopping` is set; why it could not, or None."""
        for name, caller in self.callers.get("serve_documents", ()):
            given = {
                "accept": lambda document, cursor=None: accept(document_of(document, cursor)),
                "stopping": stopping,
                "ready": ready,
            }
            answer = _single(self._call_plugin(name, "serve_documents", caller, **given))
            if isinstance(answer, NotSent | Throttled | Misconfigured):
                return answer
            if answer is not None:
                kinds = (NotSent, Throttled, Misconfigured, type(None))
                raise wrong_type(name, "serve_documents", answer, kinds, place=place_of_hook(caller))
        return None

    def retry_document(self, name: str, sha256: str) -> Path | None:
        """Where the source put a document that it had set aside; None when it does not have it."""
        return self._optional("retry_document", Path, name=name, sha256=sha256)

    def find_taken(self, since: float) -> tuple[Document, ...]:
        """What the source still has of documents that were put away as read after `since`."""
        return self._optional("find_taken", tuple, since=since) or ()

    def probe_source(self) -> Outcome | None:
        """Whether documents could be taken now; None: the source cannot be asked."""
        return self._optional("probe_source", Outcome)

    def parse_receipts(self, document: Document) -> Iterator[Parsed]:
        """The records of the document, parsed one by one as they are asked for.

        Raises DocumentError for one in which nothing was recognised, and for one that is broken for the most part.
        """
        return worth_reading(self._parse_receipts(document), document.name)

    def _parse_receipts(self, document: Document) -> Generator[Parsed, None, None]:
        name, answer = self._first_answer("parse_receipts", Iterable, document=document)
        if not hasattr(answer, "__iter__"):
            raise wrong_type(name, "parse_receipts", answer, Iterable, place=self._place("parse_receipts", name))
        records = self._guard(name, "parse_receipts", iter, answer)
        number = 1
        try:
            while (record := self._next_record(name, records, number)) is not None:
                number += 1
                yield record
        finally:
            if close := getattr(records, "close", None):
                self._guard(name, "parse_receipts", close)

    def _next_record(self, name: str, records: Iterator[Any], number: int) -> Parsed | None:
        """None at the end. number: of the record, for messages."""
        try:
            record = next(records, _END)
        except BaseException as err:
            self._judge(name, "parse_receipts", err, number)
            raise
        if record is _END:
            return None
        if not isinstance(record, _RECORDS):
            raise wrong_type(name, "parse_receipts", record, _RECORDS, number, place_of_yield(records))
        return record

    def resolve_contact(self, contact: Contact) -> Identified | Conflict | Failure | None:
        """The first resolver's answer; None: no resolver knows the contact."""
        return self._optional("resolve_contact", Identified | Conflict | Failure, contact=contact)

    def may_create_contact(self, contact: Contact) -> bool:
        """Whether it may be created by a file; True when no resolver says."""
        return self._optional("may_create_contact", bool, contact=contact) is not False

    def update_contact(self, contact: Contact, changes: Mapping[str, str]) -> Identified | Gone | Failure | None:
        """None: no resolver sends changes."""
        return self._optional("update_contact", Identified | Gone | Failure, contact=contact, changes=changes)

    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        """The payload, whose receipt id and match are those it was given."""
        name, payload = self._call("map_receipt", Payload, True, receipt=receipt, match=match)
        if payload.receipt_id != receipt.id or payload.match != match:
            fault = PluginError(name, "map_receipt gave a payload with another receipt id or match")
            self.faults.tell(fault, {"receipt": receipt})
            raise fault
        try:
            self._check_body(name, "map_receipt", self.callers["map_receipt"], payload)
        except PluginError as fault:
            self.faults.tell(fault, {"receipt": receipt})
            raise
        return cast(Payload, payload)

    def amend_payload(self, payload: Payload, receipt: Receipt) -> Payload:
        """The payload after every amendment, each given what the one before returned."""
        for name, caller in self.callers.get("amend_payload", ()):
            try:
                payload = self._amended(name, caller, payload, receipt)
            except PluginError as fault:
                self.faults.tell(fault, {"receipt": receipt})
                raise
        return payload

    def _amended(self, name: str, caller: Caller, payload: Payload, receipt: Receipt) -> Payload:
        answer = _single(self._call_plugin(name, "amend_payload", caller, payload=payload, receipt=receipt))
        if answer is None:
            return payload
        if not isinstance(answer, Payload):
            raise wrong_type(name, "amend_payload", answer, (Payload, type(None)), place=place_of_hook(caller))
        if answer.receipt_id != payload.receipt_id or answer.match != payload.match:
            raise PluginError(name, "amend_payload changed the receipt id or the match")
        self._check_body(name, "amend_payload", [(name, caller)], answer)
        return answer

    def _check_body(self, name: str, hook: str, callers: Sequence[tuple[str, Caller]], payload: Payload) -> None:
        """Raise a PluginError for a body that cannot be sent: the transport would stumble over it, and be blamed."""
        if found := self._guard(name, hook, unsendable, payload.fields):
            place = place_of_hook(dict(callers)[name])
            raise PluginError(
                name,
                f"{hook} at {place} gave a body that cannot be sent: {found}; text, int, Decimal and bool can be",
            )

    def deliver(self, payload: Payload) -> Outcome | Gone:
        """One attempt by API."""
        outcome: Outcome | Gone = self._required("deliver", Outcome | Gone, payload=payload)
        return outcome

    def probe(self) -> Outcome:
        """Whether the destination answers and takes our key."""
        return self._required("probe", Outcome)

    def identity(self) -> Tenant | None:
        """Which tenant the settings name; None: the transport does not say."""
        return self._optional("identity", Tenant)

    def confirm_receipts(
        self, contact: Contact, receipts: Sequence[ReceiptRef]
    ) -> History | NoHistory | Gone | Failure | None:
        """Those of the receipts the destination shows; None: the transport cannot ask."""
        kinds = (History, NoHistory, Gone, *get_args(Failure))
        return self._optional("confirm_receipts", kinds, contact=contact, receipts=receipts)

    def contacts_gone(self, since: datetime) -> frozenset[str] | NoHints | Failure | None:
        """Texts among which are the ids of contacts gone since then; None: the transport cannot ask."""
        return self._optional("contacts_gone", frozenset | NoHints | Failure, since=since)

    def match_in_file(self, contact: Contact) -> Identifier | None:
        """None: no file can name this contact."""
        return self._optional("match_in_file", Identifier, contact=contact)

    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        """The files written for the batch."""
        return self._required("write_files", WrittenFiles, batch=batch)

    def import_folders(self) -> tuple[str, ...]:
        """Where the files of the fallback go, below the transfer's path; empty when it does not say."""
        return self._optional("import_folders", tuple) or ()

    def probe_transfer(self, trial: bool, folders: tuple[str, ...] | None = None) -> Outcome | None:
        """Whether files could be transferred now; None: it cannot be asked. folders: by default the fallback's."""
        folders = self.import_folders() if folders is None else folders
        return self._optional("probe_transfer", Outcome, folders=folders, trial=trial)

    def transfer(self, file: FallbackFile) -> Outcome:
        """One attempt to put the file where the destination reads it."""
        return self._required("transfer", Outcome, file=file)

    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """True while the file still lies in the destination's folder."""
        return self._required("find_transferred", bool | Failure, file=file)

    def reconcile_contact(self, contact: Contact) -> Identified | Conflict | Gone | Failure | None:
        """None: the destination does not know the contact, or no resolver can look it up."""
        return self._optional("reconcile_contact", Identified | Conflict | Gone | Failure, contact=contact)

    def observers(self) -> list[str]:
        """The names of the observers, in order: that of the plugin, with a number where it is there before."""
        return observer_names([name for name, _ in self.callers.get("observe", ())])

    def observe(self, number: int, event: Mapping[str, Any]) -> NotSent | Throttled | Misconfigured | None:
        """Pass an event on to the observer of this number; why it cannot take it now, or None. Raises PluginError."""
        name, caller = self.callers["observe"][number]
        try:
            answer = _single(self._call_plugin(name, "observe", caller, event=event))
        except InvalidValue as error:
            raise unexpected(name, "observe", error) from error
        if answer is None or isinstance(answer, NotSent | Throttled | Misconfigured):
            return answer
        kinds = (NotSent, Throttled, Misconfigured, type(None))
        raise wrong_type(name, "observe", answer, kinds, place=place_of_hook(caller))

    def _required(self, hook: str, kinds: type[_T] | Any, **given: Any) -> _T:
        return cast(_T, self._call(hook, kinds, True, **given)[1])

    def _optional(self, hook: str, kinds: type[_T] | Any, **given: Any) -> _T | None:
        answer: _T | None = self._call(hook, kinds, False, **given)[1]
        return answer

    def _call(self, hook: str, kinds: Any, required: bool, /, **given: Any) -> tuple[str, Any]:
        """Call the hook, check its answer and record how long it took."""
        began, outcome = time.perf_counter(), "raised"
        try:
            name, answer = self._first_answer(hook, kinds if required else None, **given)
            if answer is not None and (
                not isinstance(answer, kinds) or (kinds is _Collected and isinstance(answer, bool))
            ):
                raise wrong_type(name, hook, answer, kinds, place=self._place(hook, name))
            outcome = type(answer).__name__
            return name, answer
        except PluginError as fault:
            if hook not in _SOURCE:  # the state of a source has its own words in the log
                self.faults.tell(fault, given)
            raise
        finally:
            record_progress()
            if hook != "collect_documents":
                label = "none" if outcome == "NoneType" else outcome if outcome in _OUTCOMES else "answered"
                self.timings.hooks.record((hook, label), time.perf_counter() - began)

    def _place(self, hook: str, name: str) -> str:
        """Where the plugin of this name has the hook; "" when nobody has it."""
        return next((place_of_hook(caller) for own, caller in self.callers.get(hook, ()) if own == name), "")

    def _first_answer(self, hook: str, needed: Any, /, **given: Any) -> tuple[str, Any]:
        """The first answer that is not None, with the name of its plugin. needed: kinds, where there must be one."""
        name = "(none)"
        for name, caller in self.callers.get(hook, ()):
            answer = self._call_plugin(name, hook, caller, **given)
            if hook not in _SEVERAL:
                answer = _single(answer)
            if answer is not None:
                return name, answer
        if needed is not None:
            raise no_answer(name, hook, needed, self._place(hook, name))
        return name, None

    def _call_plugin(self, name: str, hook: str, caller: Caller, /, **given: Any) -> Any:
        try:
            return self._guard(name, hook, lambda: caller(**given))
        except OSError as err:
            if hook in _READING:
                raise
            unanswered = _UNANSWERED.get(hook)
            if unanswered is None:
                raise unexpected(name, hook, err) from err
            after = ", which may have gone through" if unanswered is MaybeSent else ""
            what = f"plugin {name!r} raised {type(err).__name__} at {plugin_place_of(err)}"
            return unanswered(reason=f"{what} during the call{after}")

    def _guard(self, name: str, hook: str, call: Callable[..., _T], *given: Any) -> _T:
        """The result of code of the plugin. Whatever it raises against its contract becomes a PluginError."""
        try:
            return call(*given)
        except BaseException as err:
            self._judge(name, hook, err)
            raise

    def _judge(self, name: str, hook: str, err: BaseException, record: int = 0) -> None:
        """Return when the hook may raise this, or else raise a PluginError. record: the number of that being read."""
        if isinstance(err, InvalidValue) and (hook == "parse_receipts" or isinstance(err, WrongType)):
            raise unexpected(name, hook, err, record) from err
        if isinstance(err, (InvalidValue, PluginError, OSError, *self.lets_through)):
            return
        if not (isinstance(err, TillpostError) and _may_raise(hook, err)):
            raise unexpected(name, hook, err, record) from err


def _may_raise(hook: str, error: TillpostError) -> bool:
    return hook in _SOURCE or (hook == "parse_receipts" and isinstance(error, DocumentError))


def _single(answer: Any) -> Any:
    """pluggy returns the answers of a hook without `firstresult` as a list; here it is of one plugin."""
    if isinstance(answer, list):
        return answer[0] if answer else None
    return answer


def observer_names(plugins: Sequence[str]) -> list[str]:
    """The names of observers by their plugins in the order of the file."""
    return [
        name if name not in plugins[:number] else f"{name} {plugins[: number + 1].count(name)}"
        for number, name in enumerate(plugins)
    ]
