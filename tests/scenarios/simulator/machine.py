"""The machine of one pipeline: the real journal, flow and plugins, on a disk that keeps what a kill leaves."""

from __future__ import annotations

import base64
import contextlib
from collections.abc import Callable, Iterator
from collections.abc import Mapping as Mapping_
from datetime import timedelta
from pathlib import Path
from random import Random
from threading import Event
from typing import Any, TypeVar

import apsw
import attrs

from tests.scenarios.simulator.api import SimulatedClient
from tests.scenarios.simulator.determinism import SimulatedClock
from tests.scenarios.simulator.engage import Engage
from tests.scenarios.simulator.faults import Faults, Killed
from tests.scenarios.simulator.import_folder import ImportFolder, SimulatedTransfer
from tests.support.engine import store_of
from tests.support.lines import make_line
from tillpost import Context, Use, hookimpl
from tillpost.compose.hook_faults import HOOKS
from tillpost.errors import JournalFull
from tillpost.flow.delivery.deliver import Ready
from tillpost.flow.delivery.outbox import Outbox
from tillpost.flow.hook_calls import HookCalls
from tillpost.flow.limits import FallbackPolicy, RetryPolicy, SourcePolicy, TransferPolicy
from tillpost.flow.line import Line
from tillpost.flow.trials import Verdict
from tillpost.flow.upkeep.recover import recover
from tillpost.journal import Entry, Journal
from tillpost.journal.sqlite.store import Store
from tillpost.model import Contact, Customer, Document, FallbackBatch, Identifier, Parsed, WrittenFiles
from tillpost_engage.contacts import Contacts
from tillpost_engage.files import EngageFiles
from tillpost_engage.filesettings import FileSettings
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings, ResolveSettings
from tillpost_engage.transport import Transport
from tillpost_known import Known
from tillpost_receipts import plugin as receipts
from tillpost_receipts.settings import Settings as ReceiptsSettings

RETRY = RetryPolicy(attempts=4)
FALLBACK = FallbackPolicy(confirm_within=timedelta(hours=6))
TRANSFER = TransferPolicy()
HOUSE = Customer(identifiers=(Identifier("externalId", "HOUSE"),))

_T = TypeVar("_T")
_templates: list[bytes] = []
_fallback: list[EngageFiles] = []


class _Fallback:
    """The real Engage files, with boundaries before, during and after writing."""

    def __init__(self, faults: Faults) -> None:
        self._faults = faults
        if not _fallback:
            _fallback.append(EngageFiles(FileSettings(), None))  # its schemas are parsed once for all runs
        self._files = _fallback[0]

    @hookimpl
    def match_in_file(self, contact: Contact) -> Identifier | None:
        return self._files.match_in_file(contact=contact)

    @hookimpl
    def write_files(self, batch: FallbackBatch) -> WrittenFiles:
        self._faults.cross("before files are written")
        written = self._files.write_files(batch=batch)
        try:
            self._faults.cross("while the last file is written")
        except Killed:
            last = written.files[-1].path
            last.rename(last.parent / f".{last.name}.part")  # as a kill before the rename leaves it
            raise
        self._faults.cross("after files are written")
        return written


class _Adapter:
    """The real adapter, with a document that ends every process that reads it to a record."""

    def __init__(self, adapter: Any, deadly: Mapping_[str, int]) -> None:
        self._adapter = adapter
        self._deadly = deadly

    @hookimpl
    def parse_receipts(self, document: Document) -> Iterator[Parsed]:
        for number, record in enumerate(self._adapter.parse_receipts(document=document)):
            if number == self._deadly.get(document.name):
                raise Killed("a record ends the process")
            yield record


@attrs.frozen
class _Trials:
    """Tries to read a document, as a process of its own would; of everything else it shows nothing."""

    adapter: _Adapter

    def run(self, job: Mapping_[str, Any]) -> Verdict:
        read = 0
        try:
            if job["do"] == "read":
                content = base64.b64decode(job["content"])
                for _ in self.adapter.parse_receipts(document=Document.from_bytes(job["name"], content)):
                    read += 1
        except Killed:
            return Verdict(died=True, how="signal 9", records=read)
        return Verdict()


class Disk:
    """The state folder. A kill leaves what was committed: the journal is copied as it is, with its WAL."""

    def __init__(self, folder: Path, faults: Faults) -> None:
        self.folder = folder
        self.changes = 0
        """How often the journal may have changed: invariants read it again only then."""
        self.about_to_commit: Callable[[], None] = lambda: None
        """Called before each commit, when the machine could die with the step not yet in the journal."""
        self._faults = faults
        folder.mkdir(parents=True)
        if not _templates:
            Journal(folder / "template").close()
            _templates.append((folder / "template" / "journal.db").read_bytes())
        (folder / "journal.db").write_bytes(_templates[0])

    def open(self) -> Journal:
        """The journal, with a boundary before and after every commit."""
        journal = Journal(self.folder)
        self.changes += 1
        store: Any = store_of(journal)
        write = store.write

        def bounded(work: Callable[[apsw.Connection], _T]) -> _T:
            self.about_to_commit()
            self._faults.cross("before a commit")
            if not self._faults.commit():
                raise JournalFull("simulated: no room on the disk")
            self.changes += 1
            result: _T = write(work)
            self._faults.cross("after a commit")
            return result

        store.write = bounded
        return journal

    def lose(self, journal: Journal) -> None:
        """The process is killed: nothing it would do at its end (checkpoint, rollback) happens."""
        left = {name: (self.folder / name) for name in ("journal.db", "journal.db-wal")}
        content = {name: path.read_bytes() for name, path in left.items() if path.exists()}
        journal.close()
        for name, path in left.items():
            path.unlink(missing_ok=True)
            if name in content:
                path.write_bytes(content[name])


class Machine:
    """One process after the other, on one disk and with the same destination."""

    def __init__(
        self,
        folder: Path,
        random: Random,
        engage: Engage,
        transfer: TransferPolicy = TRANSFER,
        deadly: Mapping_[str, int] = {},
    ) -> None:
        self.random = random
        self.deadly = deadly
        self.transfer = transfer
        self.clock = SimulatedClock()
        self.faults = Faults()
        self.engage = engage
        self.imports = ImportFolder(engage)
        self.client = SimulatedClient(engage, self.faults)
        self.disk = Disk(folder, self.faults)
        self.kills = 0
        self.line = self._start()

    @property
    def store(self) -> Store:
        """The journal's tables, to read them."""
        return store_of(self.line.journal)

    def restart(self) -> None:
        """The process is killed, if it was not already, and starts again; it may be killed while it starts."""
        self.client.meanwhile = None
        self.faults.full_at = 0  # the next process finds room
        while True:
            self.kills += 1
            self.disk.lose(self.line.journal)
            try:
                self.line = self._start()
            except Killed:
                continue
            return

    def job(self) -> Ready | Entry | None:
        """The job a sender would take next."""
        jobs = self.outbox._jobs
        return jobs.get_nowait() if jobs.qsize() else None

    def stop(self) -> None:
        """The run is over."""
        self.line.journal.close()

    def _start(self) -> Line:
        """As `tillpost run` does it: the journal, the plugins, the clock, then `recover` and `sweep`."""
        journal = self.disk.open()
        self.line = make_line(
            journal,
            self._hooks(),
            name="simulated",
            clock=self.clock,
            chance=self.random,
            source=SourcePolicy(),
            retry=RETRY,
            fallback=FALLBACK,
            transfer=self.transfer,
            anonymous=HOUSE,
            trials=_Trials(self._adapter(self._context())),
        )
        recover(self.line)
        self.outbox = Outbox(self.line, Event())
        return self.line

    def _adapter(self, context: Context) -> _Adapter:
        return _Adapter(receipts.build([Use("adapter", ReceiptsSettings())], context)[0], self.deadly)

    def _context(self) -> Context:
        return Context(
            pipeline="simulated",
            folder=self.disk.folder,
            state=self.disk.folder,
            clock=self.clock,
            random=self.random,
            budget=lambda key, rate: contextlib.nullcontext(),  # type: ignore[arg-type, return-value] # no client asks
        )

    def _hooks(self) -> HookCalls:
        slots: list[tuple[str, str, object]] = [
            ("adapter", "receipts", self._adapter(self._context())),
            ("resolve", "known", Known()),
            ("resolve", "engage", Contacts(ResolveSettings(), self.client)),
            ("map", "engage", Mapping(MapSettings())),
            ("transport", "engage", Transport(self.client)),
            ("fallback", "engage-xml", _Fallback(self.faults)),
            ("transfer", "sftp", SimulatedTransfer(self.imports, self.faults)),
        ]
        callers: dict[str, list[tuple[str, Callable[..., Any]]]] = {}
        for slot, name, plugin in slots:
            for hook in (*HOOKS[slot][0], *HOOKS[slot][1]):
                if hasattr(plugin, hook):
                    callers.setdefault(hook, []).append((name, getattr(plugin, hook)))
        return HookCalls(callers, lets_through=(Killed,))
