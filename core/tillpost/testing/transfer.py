"""The promises of a transfer: a file appears whole under its name, or not at all, and once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, NotSent, Outcome, Refused
from tillpost.testing.destination import DestinationSuite
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

    def test_whole(self, tmp_path: Path) -> None:
        """The file arrives unchanged under its name, and no other file beside it."""
        with self.destination("ok", tmp_path) as fake:
            outcome = self.hooks_at(fake, tmp_path).transfer(self.file(tmp_path))
            check(
                "whole", _delivered(outcome), "" if fake.holds() == {NAME: CONTENT} else "it is not alone, or not whole"
            )

    def test_repeated(self, tmp_path: Path) -> None:
        """Sent again, it is there once and unchanged."""
        with self.destination("ok", tmp_path) as fake:
            hooks, file = self.hooks_at(fake, tmp_path), self.file(tmp_path)
            outcomes = [hooks.transfer(file) for _ in range(2)]
            check(
                "repeated", *map(_delivered, outcomes), "" if fake.holds() == {NAME: CONTENT} else "it is not as it was"
            )

    def test_other_file(self, tmp_path: Path) -> None:
        """A different file of that name is not overwritten, and the transfer is Refused."""
        with self.destination("ok", tmp_path) as fake:
            assert fake.add is not None, "give FakeDestination(add=…), which puts a file there"
            fake.add(name=NAME, content="another")
            outcome = self.hooks_at(fake, tmp_path).transfer(self.file(tmp_path))
            check(
                "other_file",
                "" if isinstance(outcome, Refused) else f"the outcome is {type(outcome).__name__}, not Refused",
                "" if fake.holds().get(NAME) == b"another" else "it was overwritten",
            )

    def test_cut(self, tmp_path: Path) -> None:
        """After a cut upload no part appears under the name, and the next attempt succeeds."""
        with self.destination("cut", tmp_path) as fake:
            hooks, file = self.hooks_at(fake, tmp_path), self.file(tmp_path)
            outcome = hooks.transfer(file)
            check(
                "cut",
                "" if isinstance(outcome, NotSent | MaybeSent) else f"the outcome is {type(outcome).__name__}",
                "a part of it lies there under its name" if NAME in fake.holds() else "",
            )
            again = hooks.transfer(file)
            check("cut", _delivered(again), "" if fake.holds() == {NAME: CONTENT} else "it is not alone, or not whole")

    def test_lost_rename(self, tmp_path: Path) -> None:
        """After a rename whose answer was lost, the transfer looks for the file."""
        with self.destination("lost_rename", tmp_path) as fake:
            hooks, file = self.hooks_at(fake, tmp_path), self.file(tmp_path)
            outcome = hooks.transfer(file)
            allowed = isinstance(outcome, Delivered | MaybeSent)
            check("lost_rename", "" if allowed else f"it was done, and the outcome is {type(outcome).__name__}")
            check(
                "lost_rename",
                _delivered(hooks.transfer(file)),
                "" if fake.holds() == {NAME: CONTENT} else "it is not there once",
            )

    def test_found(self, tmp_path: Path) -> None:
        """`find_transferred` is True while the file is there, and False when it is not."""
        with self.destination("ok", tmp_path) as fake:
            hooks, file = self.hooks_at(fake, tmp_path), self.file(tmp_path)
            before = hooks.find_transferred(file)
            hooks.transfer(file)
            answers = before, hooks.find_transferred(file)
            check(
                "found", "" if answers == (False, True) else f"before and after it says {answers[0]} and {answers[1]}"
            )

    def test_unreachable(self, tmp_path: Path) -> None:
        """An unreachable server is NotSent, and a Failure of find_transferred."""
        with self.destination("refuse", tmp_path) as fake:
            hooks, file = self.hooks_at(fake, tmp_path), self.file(tmp_path)
            outcome, found = hooks.transfer(file), hooks.find_transferred(file)
            check(
                "unreachable",
                "" if isinstance(outcome, NotSent) else f"the outcome is {type(outcome).__name__}, not NotSent",
                "" if isinstance(found, Failure) else f"find_transferred says {found}",
                self.leak(outcome),
            )

    def test_changed_here(self, tmp_path: Path) -> None:
        """A local file that was changed after it was written is not sent."""
        with self.destination("ok", tmp_path) as fake:
            file = self.file(tmp_path)
            file.path.write_bytes(CONTENT[:100])
            outcome = self.hooks_at(fake, tmp_path).transfer(file)
            check("changed_here", "it is sent" if isinstance(outcome, Delivered) or fake.holds() else "")


def _delivered(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Delivered) else f"the outcome is {type(outcome).__name__}, not Delivered"
