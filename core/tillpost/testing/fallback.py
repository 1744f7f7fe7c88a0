"""The promises of a fallback: each receipt whole in one file, or refused alone."""

from __future__ import annotations

import hashlib
from collections.abc import Mapping, Sequence
from datetime import datetime, timedelta, timezone
from pathlib import Path
from typing import Any, ClassVar

from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Contact, FallbackBatch, Identifier, Payload, WrittenFiles
from tillpost.plugin import Plugin
from tillpost.testing.resolver import contact
from tillpost.testing.suite import Suite, check
from tillpost.testing.transport import receipt

STAMP = datetime(2026, 3, 14, 15, 30, tzinfo=timezone(timedelta(hours=1)))
EMAIL, NUMBER = Identifier("email", "anna@example.com"), Identifier("externalId", "C-1001")


class FallbackSuite(Suite):
    """Set `settings`, and `map_plugin`: the plugin whose `map` makes the receipts of the files."""

    settings: ClassVar[Mapping[str, Any]] = {}
    few_lines: ClassVar[Mapping[str, Any]] = {}
    """The setting by which a file may have 3 lines of receipts."""
    map_plugin: ClassVar[str | Plugin] = ""

    def payload(self, number: int, match: Identifier = NUMBER, lines: int = 1, name: str = "Blå kopp") -> Payload:
        """A receipt in the destination's format."""
        mapping: type[Suite] = type("Mapping", (Suite,), {"plugin": self.map_plugin})
        return mapping().hooks({"map": {}}).map_receipt(receipt(f"r-{number}", lines, name), match)

    def test_whole(self, tmp_path: Path) -> None:
        """Every file named exists with its size and digest, and there is no other file."""
        written = self._write(tmp_path, [self.payload(number) for number in range(5)], [contact(email="b@example.com")])
        present = {path for path in tmp_path.rglob("*") if path.is_file()}
        wrong = [
            file.name
            for file in written.files
            if (file.size, file.sha256)
            != (file.path.stat().st_size, hashlib.sha256(file.path.read_bytes()).hexdigest())
        ]
        check(
            "whole",
            f"size or digest of {', '.join(wrong)} differs" if wrong else "",
            "" if present == {file.path for file in written.files} else "there is a file that is not named",
        )

    def test_once(self, tmp_path: Path) -> None:
        """Every receipt is in exactly one file."""
        payloads = [self.payload(number) for number in range(7)]
        written = self._write(tmp_path, payloads, settings=self.few_lines)
        check(
            "once",
            "" if sorted(_receipts(written)) == [f"r-{number}" for number in range(7)] else "one is missing, or twice",
        )

    def test_contacts_first(self, tmp_path: Path) -> None:
        """Files of contacts come before files of receipts."""
        written = self._write(tmp_path, [self.payload(1)], [contact(email="b@example.com")])
        kinds = [file.kind for file in written.files]
        check("contacts_first", "" if kinds == ["contacts", "receipts"] else f"the order is {', '.join(kinds)}")

    def test_one_match_type(self, tmp_path: Path) -> None:
        """A file identifies contacts by one kind of identifier."""
        written = self._write(tmp_path, [self.payload(number, (NUMBER, EMAIL)[number % 2]) for number in range(4)])
        mixed = [file.name for file in written.files if len({int(key[2:]) % 2 for key in file.keys}) > 1]
        check("one_match_type", f"{', '.join(mixed)} mixes them" if mixed or len(_receipts(written)) != 4 else "")

    def test_limit(self, tmp_path: Path) -> None:
        """A full file is followed by the next; the limit counts lines of receipts."""
        written = self._write(tmp_path, [self.payload(number, lines=2) for number in range(3)], settings=self.few_lines)
        sizes = [len(file.keys) for file in written.files]
        check(
            "limit",
            ""
            if sizes == [1, 1, 1]
            else f"of receipts with two lines each the files have {sizes}, with 3 lines allowed",
        )

    def test_cleaned(self, tmp_path: Path) -> None:
        """A character the file's format forbids is removed, and the receipt is in the file."""
        written = self._write(tmp_path, [self.payload(1, name="Bl\x0bå\ufffe kopp")])
        content = b"".join(file.path.read_bytes() for file in written.files)
        left = b"\x0b" in content or "\ufffe".encode() in content
        check(
            "cleaned",
            "" if _receipts(written) == ["r-1"] else "it is not in a file",
            "it is still there" if left else "",
        )

    def test_refused_alone(self, tmp_path: Path) -> None:
        """A receipt that no file can carry is refused with a reason, and the others are written."""
        payloads = [self.payload(1), self.payload(2, lines=4), self.payload(3)]
        written = self._write(tmp_path, payloads, settings=self.few_lines)
        refused = [(item.key, bool(item.reason)) for item in written.refused]
        check(
            "refused_alone",
            "" if refused == [("r-2", True)] else f"refused are {refused}",
            "" if _receipts(written) == ["r-1", "r-3"] else "the others are not written",
        )

    def test_names(self, tmp_path: Path) -> None:
        """Two batches of one second have different names."""
        first, second = (self._write(tmp_path, [self.payload(1)], sequence=number) for number in (1, 2))
        names = [file.name for written in (first, second) for file in written.files]
        check("names", "" if len(set(names)) == 2 else "they have one name")

    def test_nothing(self, tmp_path: Path) -> None:
        """Nothing to write is no file."""
        check("nothing", "a file is written" if self._write(tmp_path, []).files or list(tmp_path.rglob("*.*")) else "")

    def test_match(self, tmp_path: Path) -> None:
        """A contact is matched by its identifier; one without any is None."""
        hooks = self._hooks(tmp_path)
        check(
            "match",
            "" if hooks.match_in_file(contact(email=EMAIL.value)) == EMAIL else "an e-mail is not taken",
            "" if hooks.match_in_file(contact()) is None else "a contact without keys is named",
        )

    def _hooks(self, folder: Path, settings: Mapping[str, Any] | None = None) -> HookCalls:
        return self.hooks({"fallback": {**self.settings, **(settings or {})}}, folder)

    def _write(
        self,
        folder: Path,
        payloads: Sequence[Payload],
        created: Sequence[Contact] = (),
        settings: Mapping[str, Any] | None = None,
        sequence: int = 1,
    ) -> WrittenFiles:
        batch = FallbackBatch(
            created=tuple(created),
            updated=(),
            receipts=tuple(payloads),
            stamp=STAMP,
            sequence=sequence,
            folder=folder / "fallback",
        )
        return self._hooks(folder, settings).write_files(batch)


def _receipts(written: WrittenFiles) -> list[str]:
    return [key for file in written.files if file.kind == "receipts" for key in file.keys]
