"""The promises of a transfer: a file appears whole under its name, or not at all, and once."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, NotSent, Outcome, Refused
from tillpost.testing.destination import DestinationSuite, FakeDestination, outcome_fault
from tillpost.testing.suite import check

NAME = "20260314143000_1_transactions.xml"
CONTENT = b"<transactions>" + b"<transaction/>" * 60_000 + b"</transactions>"


class TransferSuite(DestinationSuite):
    """Write `destination(fault, folder)`; its `holds()` gives name → bytes of every file there, finished or not.

    `add(name=, content=)` puts a file there (content as text). Faults: ok, refuse (nothing listens), cut (the
    connection breaks during the first upload), lost_rename (the rename is done, its answer lost, once).
    """

    def file(self, folder: Path, content: bytes = CONTENT) -> FallbackFile:
        """A fallback file as a fallback writes it."""
        path = folder / "fallback" / "transactionImport" / NAME
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
        digest = hashlib.sha256(content).hexdigest()
        return FallbackFile(name=NAME, kind="receipts", sha256=digest, size=len(content), keys=("r",), path=path)

    @contextmanager
    def _uploading(self, fault: str, folder: Path) -> Iterator[tuple[FakeDestination, HookCalls, FallbackFile]]:
        with self.destination(fault, folder) as fake:
            yield fake, self.hooks_at(fake, folder), self.file(folder)

    def test_whole(self, tmp_path: Path) -> None:
        """The file arrives unchanged under its name, and no other file beside it."""
        with self._uploading("ok", tmp_path) as (fake, hooks, file):
            _check_there("whole", fake, hooks.transfer(file))

    def test_repeated(self, tmp_path: Path) -> None:
        """Sent again, it is there once and unchanged."""
        with self._uploading("ok", tmp_path) as (fake, hooks, file):
            _check_there("repeated", fake, hooks.transfer(file), hooks.transfer(file))

    def test_other_file(self, tmp_path: Path) -> None:
        """A different file of that name is not overwritten, and the transfer is Refused."""
        with self._uploading("ok", tmp_path) as (fake, hooks, file):
            assert fake.add is not None, "give FakeDestination(add=…), which puts a file there"
            fake.add(name=NAME, content="another")
            outcome = hooks.transfer(file)
            check(
                "other_file",
                outcome_fault(outcome, Refused),
                "" if fake.holds().get(NAME) == b"another" else "it was overwritten",
            )

    def test_cut(self, tmp_path: Path) -> None:
        """After a cut upload no part appears under the name, and the next attempt succeeds."""
        with self._uploading("cut", tmp_path) as (fake, hooks, file):
            outcome = hooks.transfer(file)
            check(
                "cut",
                outcome_fault(outcome, NotSent, MaybeSent),
                "a part of it lies there under its name" if NAME in fake.holds() else "",
            )
            _check_there("cut", fake, hooks.transfer(file))

    def test_lost_rename(self, tmp_path: Path) -> None:
        """After a rename whose answer was lost, the transfer looks for the file."""
        with self._uploading("lost_rename", tmp_path) as (fake, hooks, file):
            outcome = hooks.transfer(file)
            check("lost_rename", outcome_fault(outcome, Delivered, MaybeSent))
            _check_there("lost_rename", fake, hooks.transfer(file))

    def test_found(self, tmp_path: Path) -> None:
        """`find_transferred` is True while the file is there, and False when it is not."""
        with self._uploading("ok", tmp_path) as (_, hooks, file):
            before = hooks.find_transferred(file)
            hooks.transfer(file)
            answers = before, hooks.find_transferred(file)
            check(
                "found", "" if answers == (False, True) else f"before and after it says {answers[0]} and {answers[1]}"
            )

    def test_unreachable(self, tmp_path: Path) -> None:
        """An unreachable server is NotSent, and a Failure of find_transferred."""
        with self._uploading("refuse", tmp_path) as (_, hooks, file):
            outcome, found = hooks.transfer(file), hooks.find_transferred(file)
            check(
                "unreachable",
                outcome_fault(outcome, NotSent),
                "" if isinstance(found, Failure) else f"find_transferred says {found}",
                self.leak(outcome),
            )

    def test_probe(self, tmp_path: Path) -> None:
        """`probe_transfer`, where there is one, leaves nothing behind, and tells a server that is away."""
        with self._uploading("ok", tmp_path) as (fake, hooks, file):
            if not hooks.implements("probe_transfer"):
                return
            folders = (file.path.parent.name,)
            looked, tried = hooks.probe_transfer(False, folders), hooks.probe_transfer(True, folders)
            check("probe", *(outcome_fault(each, Delivered) for each in (looked, tried) if each is not None))
            check("probe", "it leaves a file there" if fake.holds() else "")
        with self._uploading("refuse", tmp_path / "refuse") as (_, hooks, file):
            for trial in (False, True):
                outcome = hooks.probe_transfer(trial, (file.path.parent.name,))
                check("probe", "" if outcome is None else outcome_fault(outcome, NotSent))

    def test_changed_here(self, tmp_path: Path) -> None:
        """A local file that was changed after it was written is not sent."""
        with self._uploading("ok", tmp_path) as (fake, hooks, file):
            file.path.write_bytes(CONTENT[:100])
            outcome = hooks.transfer(file)
            check("changed_here", "it is sent" if isinstance(outcome, Delivered) or fake.holds() else "")


def _check_there(promise: str, fake: FakeDestination, *outcomes: Outcome) -> None:
    check(
        promise,
        *(outcome_fault(outcome, Delivered) for outcome in outcomes),
        "" if fake.holds() == {NAME: CONTENT} else "it is not alone, or not whole",
    )
