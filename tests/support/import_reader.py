"""A reader that polls an import folder as the destination does, and notes every file it did not find whole."""

from __future__ import annotations

import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Self


class ImportReader:
    """Reads every file under a final name as soon as it is there or differs; with `consume`, deletes it then.

    whole: name → content of each file that may come. partial: names seen with other content. looks: how often the
    folder was looked at. taken: names deleted.
    """

    def __init__(self, folder: Path, whole: Mapping[str, bytes], consume: bool = False) -> None:
        self.partial: list[str] = []
        self.taken: list[str] = []
        self.looks = 0
        self._seen: dict[str, tuple[int, int, int]] = {}
        self._folder, self._whole, self._consume = folder, whole, consume
        self._stop = threading.Event()
        self._thread = threading.Thread(target=self._run, daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stop.set()
        self._thread.join()

    def _run(self) -> None:
        while not self._stop.wait(0.001):
            self._look()
        self._look()

    def _look(self) -> None:
        self.looks += 1
        for path in self._folder.glob("*.xml"):
            if path.name.startswith(".") or path.name in self.taken:
                continue
            found = path.stat()
            stamp = found.st_ino, found.st_size, found.st_mtime_ns
            if self._seen.get(path.name) == stamp:
                continue  # as whole as it was
            content = path.read_bytes()
            if content != self._whole[path.name]:
                self.partial.append(path.name)
                continue
            self._seen[path.name] = stamp
            if self._consume:
                path.unlink()
                self.taken.append(path.name)
