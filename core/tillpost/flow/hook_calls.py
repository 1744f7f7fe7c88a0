"""The plugins of a pipeline as the flow calls them: one method a hook, typed, each answer checked.

A plugin that answers with the wrong type or raises what no contract allows becomes a PluginError that names it.
"""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from typing import Any, TypeVar, cast, get_args

import attrs

from tillpost.errors import PluginError, TillpostError
from tillpost.flow.heartbeat import progressed
from tillpost.flow.timings import Timings
from tillpost.model import (
    Broken,
    Conflict,
    Contact,
    Document,
    Failure,
    FallbackBatch,
    FallbackFile,
    Found,
    Gone,
    Identified,
    Identifier,
    NoReceipt,
    Outcome,
    Parsed,
    Payload,
    Receipt,
    WrittenFiles,
)

Caller = Callable[..., Any]
_T = TypeVar("_T")
_TOLD = frozenset(
    ("Delivered", "NotSent", "MaybeSent", "Refused", "Misconfigured", "Throttled", "Conflict", "Gone", "NoneType")
)
"""Kinds of answers that are told apart where calls are counted; any other is `answered`."""


@attrs.frozen
class HookCalls:
    """The hooks of one pipeline.

    callers: hook name → (plugin name, its caller in the pipeline's pluggy manager), in the order of the file.
    slots: the slots that are filled.
    """

    callers: Mapping[str, Sequence[tuple[str, Caller]]]
    slots: frozenset[str]
    timings: Timings = attrs.field(factory=Timings)
    """Takes how long each call took; but for the source's and the adapter's, which take as long as a document does."""

    def has(self, slot: str) -> bool:
        """Whether a plugin fills this slot."""
        return slot in self.slots

    def implements(self, hook: str) -> bool:
        """Whether a plugin has this hook, where its slot leaves that to it."""
        return hook in self.callers

    def collect_documents(self, accept: Callable[[Document], Mapping[str, int]]) -> int:
        """How many documents the source handed to `accept`. What `accept` raised comes out as it was."""
        raised: list[BaseException] = []

        def recorded(document: Document) -> Mapping[str, int]:
            try:
                return accept(document)
            except BaseException as err:
                raised.append(err)
                raise

        try:
            return self._must("collect_documents", int, accept=recorded)
        except PluginError as err:
            if raised and err.__cause__ is raised[-1]:
                raise raised[-1] from None  # ours, and not the plugin's fault
            raise

    def serve_documents(self, accept: Callable[[Document], Mapping[str, int]], stopping: threading.Event) -> None:
        """Let the source serve until `stopping` is set."""
        for name, caller in self.callers.get("serve_documents", ()):
            _call(name, "serve_documents", caller, accept=accept, stopping=stopping)

    def parse_receipts(self, document: Document) -> Iterator[Parsed]:
        """The records of the document, read on demand."""
        name, answer = self._first("parse_receipts", document=document)
        try:
            records = iter(answer)
        except TypeError:
            raise _wrong(name, "parse_receipts", answer) from None
        try:
            while True:
                try:
                    record = next(records)
                except StopIteration:
                    return
                except (TillpostError, OSError):
                    raise
                except Exception as err:
                    raise _raised(name, "parse_receipts", err) from err
                if not isinstance(record, Found | NoReceipt | Broken):
                    raise _wrong(name, "parse_receipts", record)
                yield record
        finally:
            if close := getattr(records, "close", None):
                close()

    def resolve_contact(self, contact: Contact) -> Identified | Conflict | Failure | None:
        """The first resolver's answer; None: no resolver knows the contact."""
        answer = self._may("resolve_contact", Identified | Conflict | Failure, contact=contact)
        return cast(Identified | Conflict | Failure | None, answer)

    def update_contact(self, contact: Contact, changes: Mapping[str, str]) -> Identified | Gone | Failure | None:
        """None: no resolver sends changes."""
        answer = self._may("update_contact", Identified | Gone | Failure, contact=contact, changes=changes)
        return cast(Identified | Gone | Failure | None, answer)

    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload:
        """The payload; it carries the receipt's id and the match it was given."""
        name, payload = self._checked("map_receipt", Payload, receipt=receipt, match=match)
        if payload.receipt_id != receipt.id or payload.match != match:
            raise PluginError(name, "map_receipt gave a payload with another receipt id or match")
        return cast(Payload, payload)

    def amend_payload(self, payload: Payload, receipt: Receipt) -> Payload:
        """The payload after every amendment, each given what the one before returned."""
        for name, caller in self.callers.get("amend_payload", ()):
            answer = _one(_call(name, "amend_payload", caller, payload=payload, receipt=receipt))
            if answer is None:
                continue
            if not isinstance(answer, Payload):
                raise _wrong(name, "amend_payload", answer)
            if answer.receipt_id != payload.receipt_id or answer.match != payload.match:
                raise PluginError(name, "amend_payload changed the receipt id or the match")
            payload = answer
        return payload

    def deliver(self, payload: Payload) -> Outcome:
        """One attempt by API."""
        return cast(Outcome, self._must("deliver", Outcome, payload=payload))

    def probe(self) -> Outcome:
        """Whether the destination answers and takes our key."""
        return cast(Outcome, self._must("probe", Outcome))

    def confirm_receipts(self, contact: Contact, receipt_ids: frozenset[str]) -> frozenset[str] | Gone | Failure | None:
        """Which of the receipts the destination shows; None: the transport cannot tell."""
        kinds = (frozenset, Gone, *get_args(Failure))
        answer = self._may("confirm_receipts", kinds, contact=contact, receipt_ids=receipt_ids)
        return cast(frozenset[str] | Gone | Failure | None, answer)

    def match_in_file(self, contact: Contact) -> Identifier | None:
        """None: no file can carry this contact."""
        return cast(Identifier | None, self._may("match_in_file", Identifier, contact=contact))

    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        """The files written for the batch."""
        return self._must("write_files", WrittenFiles, batch=batch)

    def transfer(self, file: FallbackFile) -> Outcome:
        """One attempt to put the file where the destination reads it."""
        return cast(Outcome, self._must("transfer", Outcome, file=file))

    def find_transferred(self, file: FallbackFile) -> bool | Failure:
        """True while the file still lies in the destination's folder."""
        return cast(bool | Failure, self._must("find_transferred", bool | Failure, file=file))

    def reconcile_contact(self, contact: Contact) -> Identified | Conflict | Gone | Failure | None:
        """None: the destination does not know the contact yet, or no resolver looks."""
        answer = self._may("reconcile_contact", Identified | Conflict | Gone | Failure, contact=contact)
        return cast(Identified | Conflict | Gone | Failure | None, answer)

    def observe(self, event: Mapping[str, Any]) -> list[tuple[str, Exception]]:
        """Tell every observer; the plugins that raised, with what they raised."""
        failed: list[tuple[str, Exception]] = []
        for name, caller in self.callers.get("observe", ()):
            try:
                caller(event=event)
            except Exception as err:  # noqa: BLE001 - an observer never stops the line; the flow records this
                failed.append((name, err))
        return failed

    def _must(self, hook: str, kinds: type[_T] | Any, **given: Any) -> _T:
        return cast(_T, self._checked(hook, kinds, **given)[1])

    def _may(self, hook: str, kinds: Any, **given: Any) -> Any:
        began, outcome = time.perf_counter(), "raised"
        try:
            found = None
            for name, caller in self.callers.get(hook, ()):
                answer = _one(_call(name, hook, caller, **given))
                if answer is not None:
                    found = _check(name, hook, kinds, answer)
                    break
            outcome = type(found).__name__
            return found
        finally:
            self._took(hook, outcome, began)

    def _checked(self, hook: str, kinds: Any, **given: Any) -> tuple[str, Any]:
        began, outcome = time.perf_counter(), "raised"
        try:
            name, answer = self._first(hook, **given)
            _check(name, hook, kinds, answer)
            outcome = type(answer).__name__
            return name, answer
        finally:
            self._took(hook, outcome, began)

    def _took(self, hook: str, outcome: str, began: float) -> None:
        progressed()
        if hook != "collect_documents":
            named = "none" if outcome == "NoneType" else outcome if outcome in (*_TOLD, "raised") else "answered"
            self.timings.hook(hook, named, time.perf_counter() - began)

    def _first(self, hook: str, **given: Any) -> tuple[str, Any]:
        """The first answer that is not None, and whose it is."""
        name = "(none)"
        for name, caller in self.callers.get(hook, ()):
            answer = _one(_call(name, hook, caller, **given))
            if answer is not None:
                return name, answer
        raise PluginError(name, f"{hook} gave no answer")


def _call(name: str, hook: str, caller: Caller, **given: Any) -> Any:
    try:
        return caller(**given)
    except (TillpostError, OSError):
        raise
    except Exception as err:
        raise _raised(name, hook, err) from err


def _one(answer: Any) -> Any:
    """pluggy gives the answers of a hook without `firstresult` as a list, here of one plugin."""
    if isinstance(answer, list):
        return answer[0] if answer else None
    return answer


def _check(name: str, hook: str, kinds: Any, answer: Any) -> Any:
    if not isinstance(answer, kinds) or (kinds is int and isinstance(answer, bool)):
        raise _wrong(name, hook, answer)
    return answer


def _wrong(name: str, hook: str, answer: Any) -> PluginError:
    return PluginError(name, f"{hook} gave a {type(answer).__name__}, which its contract does not allow")


def _raised(name: str, hook: str, err: Exception) -> PluginError:
    return PluginError(name, f"{hook} raised {type(err).__name__}")
