"""The hooks, in the order in which a receipt meets them.

A plugin implements the hooks of its slot (docs/hooks.md) with `@tillpost.hookimpl`. Every hook may be called again
with the same value after a crash, so implementations must be safe to repeat. No hook may keep a value between calls:
the journal is the only memory. An exception out of a hook is a fault of the plugin. The value in hand is held (or the
step waits), the message names the plugin, and everything else goes on.
"""

from __future__ import annotations

import threading
from collections.abc import Callable, Iterable, Mapping, Sequence
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol

import pluggy

from tillpost.model import (
    Conflict,
    Contact,
    Document,
    DocumentTrouble,
    Failure,
    FallbackBatch,
    FallbackFile,
    Gone,
    History,
    Identified,
    Identifier,
    Misconfigured,
    NoHints,
    NoHistory,
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

hookspec = pluggy.HookspecMarker("tillpost")
hookimpl = pluggy.HookimplMarker("tillpost")


class Accept(Protocol):
    """What a source hands its documents to."""

    def __call__(self, document: Document, cursor: str | None = None) -> Mapping[str, int]:
        """The counts of the document's records, once they are committed to the journal.

        cursor: where the source goes on after this document (a page's token, the time of the latest change). It is
        stored in the commit of the document's last record, so it is never ahead of the receipts and never behind them;
        `Context.cursor` returns it, also after a restart and after a journal was restored. None leaves the last one.
        """


class Hooks:
    """The contracts. "Slot" is the key of the pipeline's table that names the plugin."""

    @hookspec(firstresult=True)
    def collect_documents(
        self,
        accept: Accept,
        report: Callable[[DocumentTrouble], None],
        stopping: threading.Event,
    ) -> int | NotSent | Throttled | Misconfigured | None:
        """Slot `source`. Hand every document there is now to `accept`; return how many there were.

        Called once a round (`poll`) by one thread. `accept` returns once the document's receipts are committed to the
        journal: only then may the source give up its copy. When `accept` raises DocumentError, the document is bad:
        set it aside, keep it, and go on with the next. Let JournalError and Stopped out. Any other error of `accept`
        (PluginError, OSError) is about this document: leave it where it is, `report` it with the time of the next try,
        and go on with the next. `report` in each round every document that is in such trouble, also one that cannot be
        read or put away: what is not reported any more has no trouble any more. Return soon after `stopping` is set.

        A source that cannot look for documents returns NotSent (its server or folder is away), Throttled (with
        `retry_after`) or Misconfigured; it is asked again after growing waits, and its reason stands in `status`.
        """

    @hookspec
    def serve_documents(
        self, accept: Accept, stopping: threading.Event, ready: Callable[[], None]
    ) -> NotSent | Throttled | Misconfigured | None:
        """Slot `source`. Hand documents to `accept` as they are sent to us, until `stopping` is set.

        Called once by a thread of its own. Call `ready` once senders can reach it. `accept` may be called by several
        threads at once, and documents handed over at the same time are committed together. It returns the document's
        counts once they are committed: only then may the sender be answered. It raises DocumentError (`counts` has
        what was accepted before the fault), KeyTaken and KeyBusy for the document's key, Busy near a limit, and
        JournalError (JournalFull) when nothing can be committed: then the sender keeps its copy. Return once `stopping`
        is set, nothing new is accepted, and what is in flight is answered. After a failure as of `collect_documents`,
        TillpostError or OSError, such as for an address in use, the hook is called again after growing waits.
        """

    @hookspec(firstresult=True)
    def retry_document(self, name: str, sha256: str) -> Path | None:
        """Slot `source`. Put a document that was set aside back to where it is read; return where that is.

        Called by `tillpost documents retry`, also while the pipeline runs in another process. None: the source does not
        have it.
        """

    @hookspec(firstresult=True)
    def find_taken(self, since: float) -> tuple[Document, ...] | None:
        """Slot `source`. What the source still has of documents that were put away as read after `since`.

        since: seconds since 1970. Called once after a start, to find documents the journal does not know: then it is
        older than the source. A few too many do no harm; one that is read again by itself is not among them.
        """

    @hookspec(firstresult=True)
    def probe_source(self) -> Outcome | None:
        """Slot `source`. Whether documents could be taken now; takes none, and leaves nothing behind.

        Called by `tillpost check`, while `tillpost run` may be at work. NotSent: not at this moment; Misconfigured: a
        setting is wrong, or something a person must do is not done.
        """

    @hookspec(firstresult=True)
    def parse_receipts(self, document: Document) -> Iterable[Parsed] | None:
        """Slot `adapter`. Every record of the document as Found, NoReceipt or Broken, in the document's order.

        Called once for each document; may be a generator, so that a large document is never in memory as a whole. The
        same document gives the same ids. Raise DocumentError when the document as a whole cannot be read; records
        yielded before stay accepted.
        """

    @hookspec(firstresult=True)
    def resolve_contact(self, contact: Contact) -> Identified | Conflict | Failure | None:
        """Slot `resolve`, asked in the order of the file; the first answer that is not None wins.

        Called by one thread at a time for one contact. `None`: this resolver does not know the contact; it is asked for
        again, with growing waits, until the pipeline's `unknown_after` is over.
        Conflict: several contacts match. Refused: a value the destination does not accept. After the other
        failures, which are about the destination, the step is repeated. Look up before creating: an earlier creation
        may have gone through without an answer. An answer with the stored contactId is remembered for a minute, in
        which receipts of that contact ask no resolver.
        """

    @hookspec(firstresult=True)
    def may_create_contact(self, contact: Contact) -> bool | None:
        """Slot `resolve`. Whether `resolve_contact` would create this contact if the destination does not know it.

        Pure; asked in an outage. False: no fallback file creates it either, and its receipts wait for a lookup by API.
        """

    @hookspec(firstresult=True)
    def update_contact(self, contact: Contact, changes: Mapping[str, str]) -> Identified | Gone | Failure | None:
        """Slot `resolve`. Send attributes the destination does not hold; never an empty one.

        Called for a contact whose contact_id is known. `Identified.holds` says what the destination holds now.
        Gone: the id is no longer valid; it is forgotten and the contact identified again.
        """

    @hookspec(firstresult=True)
    def map_receipt(self, receipt: Receipt, match: Identifier) -> Payload | None:
        """Slot `map`. The receipt in the destination's shape, tied to the contact by `match`. Pure.

        Raise InvalidValue when the destination cannot express the receipt; it is held with that reason.
        """

    @hookspec
    def amend_payload(self, payload: Payload, receipt: Receipt) -> Payload | None:
        """Slot `amend`: a team's own changes to the payload, one plugin after the other. None leaves it as it is.

        The receipt id and the match must stay as they are.
        """

    @hookspec(firstresult=True)
    def deliver(self, payload: Payload) -> Outcome | Gone | None:
        """Slot `transport`. One attempt to deliver the receipt; the flow decides whether it is repeated.

        Called by several threads at once. The intent is in the journal before the call. Returns within the plugin's
        own total deadline. Gone: it was not taken, because the contactId it names is not valid any more.
        """

    @hookspec(firstresult=True)
    def probe(self) -> Outcome | None:
        """Slot `transport`. Ask the destination something harmless: Delivered when it answers and accepts our key."""

    @hookspec(firstresult=True)
    def identity(self) -> Tenant | None:
        """Slot `transport`. Which tenant the settings name, without a request. None: the transport does not say.

        When it has changed since the last start, nothing is sent until lookups have shown whose contactIds are stored.
        """

    @hookspec(firstresult=True)
    def confirm_receipts(
        self, contact: Contact, receipts: Sequence[ReceiptRef]
    ) -> History | NoHistory | Gone | Failure | None:
        """Slot `transport`. Which of these receipts does the destination show in the contact's history?

        Read the history around the times of sale, with a few requests however long it is; name as `unread` what that
        did not reach. NoHistory where the destination shows none. Absence proves nothing before the destination has
        imported what it accepted (`confirm_after`).
        """

    @hookspec(firstresult=True)
    def contacts_gone(self, since: datetime) -> frozenset[str] | NoHints | Failure | None:
        """Slot `transport`. Which contactIds does the destination name as merged or erased since then?

        A hint: each is asked about before it is believed, and texts that are no stored contactId mean nothing. With one
        request or few. NoHints where the destination has no such question.
        """

    @hookspec(firstresult=True)
    def match_in_file(self, contact: Contact) -> Identifier | None:
        """Slot `fallback`. The identifier by which a file may name this contact; None: no file can name it."""

    @hookspec(firstresult=True)
    def write_files(self, batch: FallbackBatch) -> WrittenFiles | None:
        """Slot `fallback`. Write the batch into files of `batch.folder`: temporary name, fsync, rename.

        Called by one thread. After a crash the batch is written again under another sequence, and files the
        journal does not know are removed; so a file counts only once the journal has it.
        """

    @hookspec(firstresult=True)
    def import_folders(self) -> tuple[str, ...] | None:
        """Slot `fallback`. The names of the folders below the transfer's path to which its files go, in order."""

    @hookspec(firstresult=True)
    def probe_transfer(self, folders: tuple[str, ...], trial: bool) -> Outcome | None:
        """Slot `transfer`. Whether files could be transferred now: the server answers, accepts us and has the path.

        trial False: writes nothing; called every `probe_every`, by any thread. trial True (`tillpost check`): also
        put a file that no import reads into each of the folders, rename it as `transfer` does, and remove it.
        """

    @hookspec(firstresult=True)
    def transfer(self, file: FallbackFile) -> Outcome | None:
        """Slot `transfer`. Put one file where the destination reads it; it appears there as a whole or not at all.

        Called by one thread, in order. When it is called again after MaybeSent, it must look before it sends.
        """

    @hookspec(firstresult=True)
    def find_transferred(self, file: FallbackFile) -> bool | Failure | None:
        """Slot `transfer`. True while the file still lies in the destination's folder, False once it is gone."""

    @hookspec(firstresult=True)
    def reconcile_contact(self, contact: Contact) -> Identified | Conflict | Gone | Failure | None:
        """Slot `resolve`. Look a contact up by all its keys, and read what the destination holds of it. Create nothing.

        Called before the fallback files are uploaded, after their import, and before a receipt goes to a contact whose
        contact_id was not confirmed for long (`revalidate`). A contact whose contact_id is known is read by that id,
        or looked up where none can be read; Gone when the id is no longer valid. `Identified.holds`: those attributes
        and identifiers of `contact` that the destination holds, with its values, or with the contact's own value where
        the destination treats both as the same; empty when nothing was read, and then nothing is compared. Conflict:
        the keys lead to several contacts. None: the destination knows none of the keys.
        """

    @hookspec
    def observe(self, event: Mapping[str, Any]) -> NotSent | Throttled | Misconfigured | None:
        """Slot `observe`. Called with every event after it is committed, in order, at least once.

        `event["seq"]` grows; after a crash the last events come again. A failure, or an OSError, is "later": the
        observer keeps its place, and gets this event again after growing waits, while the others go on. After any other
        exception the event is lost to it, which is counted and told, and it gets the next.
        """
