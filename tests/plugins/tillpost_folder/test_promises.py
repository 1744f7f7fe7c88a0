"""The promise suite of a source, on a real folder."""

from __future__ import annotations

import itertools
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from tillpost.testing import FakeOrigin, SourceSuite


class TestFolder(SourceSuite):
    plugin = "folder"
    waivers = {
        "wrong_key": "a folder asks for no key",
        "throttled": "a folder can be read as often as one likes",
        "cut": "a file is read when it was not written to for a while; `settle` says how long",
        "foreign_page": "whatever lies in the folder is a document",
    }

    @contextmanager
    def origin(self, fault: str, folder: Path) -> Iterator[FakeOrigin]:
        inbox, names = folder / "inbox", itertools.count()

        def make() -> None:
            """A folder that is away, or one whose place is taken by a file, becomes one."""
            if fault == "error":
                inbox.unlink()
            inbox.mkdir(exist_ok=True)

        def add(*numbers: str) -> None:
            place = inbox if inbox.is_dir() else folder
            (place / f"{next(names)}.txt").write_text(" ".join(numbers))

        folder.mkdir(parents=True)
        if fault == "error":
            inbox.write_text("a file")
        elif fault != "refuse":
            make()

        def heal() -> None:
            make()
            for path in folder.glob("*.txt"):
                path.rename(inbox / path.name)

        yield FakeOrigin(
            uses={"path": str(inbox)},
            add=add,
            left=lambda: [path.read_bytes() for path in inbox.glob("*.txt")],
            heal=heal,
        )
