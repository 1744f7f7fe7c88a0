"""The promises of a transfer: a file is seen whole under its name, or not at all, and once."""

from __future__ import annotations

import hashlib
from pathlib import Path

from tillpost.model import Delivered, Failure, FallbackFile, MaybeSent, NotSent, Outcome, Refused
from tillpost.testing.far import FarSuite
from tillpost.testing.suite import keep

NAME = "20260314143000_1_transactions.xml"
CONTENT = b"<transactions>" + b"<transaction/>" * 60_000 + b"</transactions>"


class TransferSuite(FarSuite):
    """Write `far_side(fault, folder)`; its `holds()` gives name → bytes of what lies in the folder, finished or not.

    `add(name=, content=)` puts a file there (content as text). Faults: ok, refuse (nobody listens), cut (the
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
        """The file arrives byte by byte under its name, and nothing lies beside it."""
        with self.far_side("ok", tmp_path) as far:
            outcome = self.at(far, tmp_path).transfer(self.file(tmp_path))
            keep(
                "whole", _delivered(outcome), "" if far.holds() == {NAME: CONTENT} else "it is not alone, or not whole"
            )

    def test_repeated(self, tmp_path: Path) -> None:
        """Sent once more it is there once, as it was."""
        with self.far_side("ok", tmp_path) as far:
            hooks, file = self.at(far, tmp_path), self.file(tmp_path)
            outcomes = [hooks.transfer(file) for _ in range(2)]
            keep(
                "repeated", *map(_delivered, outcomes), "" if far.holds() == {NAME: CONTENT} else "it is not as it was"
            )

    def test_other_file(self, tmp_path: Path) -> None:
        """Another file of that name is left alone, and ours Refused."""
        with self.far_side("ok", tmp_path) as far:
            assert far.add is not None, "give Far(add=…), which puts a file there"
            far.add(name=NAME, content="another")
            outcome = self.at(far, tmp_path).transfer(self.file(tmp_path))
            keep(
                "other_file",
                "" if isinstance(outcome, Refused) else f"the outcome is {type(outcome).__name__}, not Refused",
                "" if far.holds().get(NAME) == b"another" else "it was overwritten",
            )

    def test_cut(self, tmp_path: Path) -> None:
        """Cut during the upload no part is seen under the name, and the next attempt succeeds."""
        with self.far_side("cut", tmp_path) as far:
            hooks, file = self.at(far, tmp_path), self.file(tmp_path)
            outcome = hooks.transfer(file)
            keep(
                "cut",
                "" if isinstance(outcome, NotSent | MaybeSent) else f"the outcome is {type(outcome).__name__}",
                "a part of it lies there under its name" if NAME in far.holds() else "",
            )
            again = hooks.transfer(file)
            keep("cut", _delivered(again), "" if far.holds() == {NAME: CONTENT} else "it is not alone, or not whole")

    def test_lost_rename(self, tmp_path: Path) -> None:
        """A rename whose answer was lost is judged by looking."""
        with self.far_side("lost_rename", tmp_path) as far:
            hooks, file = self.at(far, tmp_path), self.file(tmp_path)
            outcome = hooks.transfer(file)
            allowed = isinstance(outcome, Delivered | MaybeSent)
            keep("lost_rename", "" if allowed else f"it was done, and the outcome is {type(outcome).__name__}")
            keep(
                "lost_rename",
                _delivered(hooks.transfer(file)),
                "" if far.holds() == {NAME: CONTENT} else "it is not there once",
            )

    def test_found(self, tmp_path: Path) -> None:
        """`find_transferred` is True while the file lies there, and False when it does not."""
        with self.far_side("ok", tmp_path) as far:
            hooks, file = self.at(far, tmp_path), self.file(tmp_path)
            before = hooks.find_transferred(file)
            hooks.transfer(file)
            answers = before, hooks.find_transferred(file)
            keep("found", "" if answers == (False, True) else f"before and after it says {answers[0]} and {answers[1]}")

    def test_unreachable(self, tmp_path: Path) -> None:
        """Nobody there is NotSent, and no answer to where the file is."""
        with self.far_side("refuse", tmp_path) as far:
            hooks, file = self.at(far, tmp_path), self.file(tmp_path)
            outcome, found = hooks.transfer(file), hooks.find_transferred(file)
            keep(
                "unreachable",
                "" if isinstance(outcome, NotSent) else f"the outcome is {type(outcome).__name__}, not NotSent",
                "" if isinstance(found, Failure) else f"find_transferred says {found}",
                self.shown(outcome),
            )

    def test_changed_here(self, tmp_path: Path) -> None:
        """A file that is no longer what was written is not sent."""
        with self.far_side("ok", tmp_path) as far:
            file = self.file(tmp_path)
            file.path.write_bytes(CONTENT[:100])
            outcome = self.at(far, tmp_path).transfer(file)
            keep("changed_here", "it is sent" if isinstance(outcome, Delivered) or far.holds() else "")


def _delivered(outcome: Outcome) -> str:
    return "" if isinstance(outcome, Delivered) else f"the outcome is {type(outcome).__name__}, not Delivered"
