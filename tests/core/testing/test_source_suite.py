"""The suite of sources sees what it is for: sources of pages and of messages, sound or with one bug each."""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack, contextmanager, suppress
from pathlib import Path
from typing import Any

import attrs
import pytest

from tillpost import Context, Plugin, hookimpl, simple
from tillpost.errors import DocumentError, TillpostError
from tillpost.model import Delivered, Document, DocumentTrouble, Misconfigured, NotSent, Outcome, Throttled
from tillpost.testing import FakeOrigin, SourceSuite

SECRET = "hunter2hunter2"


@attrs.frozen(kw_only=True)
class Settings:
    """Nothing to set."""


@attrs.define
class Shop:
    """What the other side has: pages that stay, or messages until they are acknowledged; and its fault."""

    fault: str = "ok"
    documents: list[bytes] = attrs.field(factory=list)
    opened: list[Any] = attrs.field(factory=list)

    def add(self, *numbers: str) -> None:
        self.documents.append(f"[{', '.join(numbers)}]".encode())

    def heal(self) -> None:
        self.fault = "ok"

    def ask(self) -> None:
        """Raise or return as a request would."""
        if self.fault == "refuse":
            raise ConnectionRefusedError(111, "connection refused")


def failure_of(fault: str) -> NotSent | Throttled | Misconfigured | None:
    failures: dict[str, NotSent | Throttled | Misconfigured] = {
        "key": Misconfigured(reason="the key is refused"),
        "throttle": Throttled(reason="too many requests", retry_after=7.0),
        "error": NotSent(reason="the shop answers 500"),
        "cut": NotSent(reason="the connection broke"),
        "page": NotSent(reason="the shop answers with a page that is not its own"),
    }
    return failures.get(fault)


@attrs.define(eq=False)
class Pages:
    """A source of pages that stay where they are; its cursor is the number of the next page."""

    shop: Shop
    context: Context
    bug: str = ""
    page: int | None = None

    @hookimpl
    def collect_documents(
        self, accept: Callable[..., Any], report: Callable[[DocumentTrouble], None], stopping: threading.Event
    ) -> int | NotSent | Throttled | Misconfigured:
        if self.shop.fault == "refuse" and self.bug == "leaks files":
            self.shop.opened.append(Path(__file__).open())  # noqa: SIM115 - the bug
        try:
            self.shop.ask()
        except OSError:
            return 0 if self.bug == "away is nothing new" else NotSent(reason="the shop cannot be reached")
        if (failed := failure_of(self.shop.fault)) is not None:
            return self._wrong(failed, accept)
        page = int(self.context.cursor() or 0)
        if self.bug in ("place in memory", "place before the commit"):
            page = self.page = page if self.page is None else self.page
        if self.bug == "reads all again":
            page = 0
        count = 0
        while page < len(self.shop.documents) and (self.bug == "does not stop" or not stopping.is_set()):
            content = self.shop.documents[page]
            name = "page" if self.bug == "one name" else f"page-{page}"
            if self.bug == "no name":
                name = ""
            page += 1
            if self.bug == "place before the commit":
                self.page = page
            self._hand_over(accept, Document.from_bytes(name, content), page)
            self.page = page
            count += 1
        if self.bug == "empty page" and not count:
            accept(Document.from_bytes("page-empty", b"[]"))
        return count

    def _hand_over(self, accept: Callable[..., Any], document: Document, page: int) -> None:
        cursor = None if self.bug in ("place in memory", "no cursor") else str(page)
        if self.bug == "place one ahead":
            cursor = str(page + 1)
        with suppress(DocumentError):
            if self.bug == "swallows everything":
                with suppress(Exception):
                    accept(document, cursor)
            elif self.bug == "swallows every end":
                with suppress(BaseException):
                    accept(document, cursor)
            elif self.bug == "swallows errors of ours":
                with suppress(TillpostError):
                    accept(document, cursor)
            elif self.bug == "lets bad ones out":
                try:
                    accept(document, cursor)
                except DocumentError as error:
                    raise RuntimeError("bad") from error
            else:
                accept(document, cursor)

    def _wrong(
        self, failed: NotSent | Throttled | Misconfigured, accept: Callable[..., Any]
    ) -> int | NotSent | Throttled | Misconfigured:
        fault, bug = self.shop.fault, self.bug
        if fault == "key" and bug == "key is an outage":
            return NotSent(reason="401")
        if fault == "key" and bug == "shows its key":
            return Misconfigured(reason=f"the key {SECRET} is refused")
        if fault == "throttle" and bug == "throttle is an outage":
            return NotSent(reason="429")
        if fault == "error" and bug == "error is nothing new":
            return 0
        if fault == "error" and bug == "no reason":
            return NotSent(reason=" ")
        if fault in ("cut", "page") and bug == f"takes a {fault}":
            accept(Document.from_bytes(fault, b"<html>"))
            return 1
        if fault == "error" and bug == "raises its library's error":
            raise RuntimeError("500")
        return failed

    @hookimpl
    def probe_source(self) -> Outcome:
        try:
            self.shop.ask()
        except OSError:
            return Delivered() if self.bug == "probe is always fine" else NotSent(reason="the shop cannot be reached")
        return Delivered()


@attrs.define(eq=False)
class Messages:
    """A source of messages that it acknowledges one by one."""

    shop: Shop
    context: Context
    bug: str = ""

    @hookimpl
    def collect_documents(
        self, accept: Callable[..., Any], report: Callable[[DocumentTrouble], None], stopping: threading.Event
    ) -> int | NotSent | Throttled | Misconfigured:
        try:
            self.shop.ask()
        except OSError:
            return NotSent(reason="the shop cannot be reached")
        if (failed := failure_of(self.shop.fault)) is not None:
            return failed
        count = 0
        for content in list(self.shop.documents):
            if stopping.is_set():
                break
            document = Document.from_bytes(f"message {content[:20].decode()}", content)
            if self.bug == "acknowledges first":
                self.shop.documents.remove(content)
            try:
                accept(document)
            except DocumentError:
                if self.bug == "leaves bad ones":
                    continue
            finally:
                if self.bug == "acknowledges in any case" and content in self.shop.documents:
                    self.shop.documents.remove(content)
            if self.bug == "acknowledges the last":
                self.shop.documents.pop()
            elif self.bug != "acknowledges never" and content in self.shop.documents:
                self.shop.documents.remove(content)
            count += 1
        return count


def suite_of(kind: type[Any], bug: str = "") -> type[SourceSuite]:
    class Small(SourceSuite):
        secrets = (SECRET,)

        @contextmanager
        def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
            shop = Shop(fault)
            with ExitStack() as opened:
                opened.callback(lambda: [each.close() for each in shop.opened])
                yield FakeOrigin(
                    uses={},
                    add=shop.add,
                    left=(lambda: list(shop.documents)) if kind is Messages else None,
                    heal=shop.heal,
                    plugin=plugin(lambda context: kind(shop, context, bug)),
                )

    Small.plugin = plugin(lambda context: None)
    return Small


def plugin(make: Callable[[Context], Any]) -> Plugin:
    return simple("small", "source", Settings, lambda _settings, context: make(context))


def broken(suite: type[SourceSuite], folder: Path, promises: Sequence[str] = ()) -> dict[str, str]:
    found = {}
    for promise in promises or suite.promises():
        try:
            getattr(suite(), f"test_{promise}")(folder / promise)
        except pytest.fail.Exception as failed:
            found[promise] = str(failed)
        except pytest.skip.Exception:
            pass
    return found


@pytest.mark.parametrize("kind", [Pages, Messages])
def test_b4_a_sound_source_keeps_every_promise(kind: type[Any], tmp_path: Path) -> None:
    assert broken(suite_of(kind), tmp_path) == {}


PAGES = {
    "place in memory": "rebuilt",
    "place before the commit": "journal_full",
    "place one ahead": "later",
    "reads all again": "later",
    "no cursor": "later",
    "does not stop": "stopped",
    "no name": "taken",
    "one name": "taken",
    "empty page": "nothing",
    "swallows everything": "journal_full",
    "swallows every end": "killed_before",
    "swallows errors of ours": "not_now",
    "lets bad ones out": "bad_document",
    "away is nothing new": "away",
    "leaks files": "hour",
    "key is an outage": "wrong_key",
    "shows its key": "wrong_key",
    "throttle is an outage": "throttled",
    "error is nothing new": "origin_failed",
    "no reason": "origin_failed",
    "raises its library's error": "origin_failed",
    "takes a cut": "cut",
    "takes a page": "foreign_page",
    "probe is always fine": "probe",
}
MESSAGES = {
    "acknowledges first": "gives_up_late",
    "acknowledges in any case": "killed_before",
    "acknowledges the last": "killed_before",
    "acknowledges never": "taken",
    "leaves bad ones": "bad_document",
}


@pytest.mark.parametrize("bug", PAGES)
def test_a_bug_of_a_source_of_pages_breaks_its_promise(bug: str, tmp_path: Path) -> None:
    found = broken(suite_of(Pages, bug), tmp_path, [PAGES[bug]])
    assert PAGES[bug] in found
    assert found[PAGES[bug]].startswith(f"promise `{PAGES[bug]}`: ")
    assert SECRET not in found[PAGES[bug]]


@pytest.mark.parametrize("bug", MESSAGES)
def test_a_bug_of_a_source_of_messages_breaks_its_promise(bug: str, tmp_path: Path) -> None:
    assert MESSAGES[bug] in broken(suite_of(Messages, bug), tmp_path, [MESSAGES[bug]])


def test_a_suite_without_an_origin_says_what_to_write(tmp_path: Path) -> None:
    class Unwritten(SourceSuite):
        plugin = plugin(lambda context: None)

    with pytest.raises(NotImplementedError, match="write `origin` for Unwritten"):
        Unwritten().test_taken(tmp_path)


def test_every_promise_says_what_it_promises() -> None:
    assert len(SourceSuite.promises()) == 21
    assert all(SourceSuite.promises().values())
