"""Source `folder`: files a till or a transfer writes there, moved away once their receipts are committed."""

from __future__ import annotations

from collections.abc import Callable, Mapping

import attrs

from tillpost import ConfigurationError, Context, DocumentError, Finding, hookimpl, simple
from tillpost.kit.files import sync_folder
from tillpost.model import Document
from tillpost_folder.move import move, write_durably
from tillpost_folder.scan import Scan, Seen
from tillpost_folder.settings import Settings


@attrs.define
class FolderSource:
    """The hook of the source."""

    settings: Settings
    scan: Scan

    @hookimpl
    def collect_documents(self, accept: Callable[[Document], Mapping[str, int]]) -> int:
        """Hand over every complete file; the count includes files that wait for `settle`.

        A file that changes while it is read stays where it is and is read again in a later round.
        """
        self.settings.path.mkdir(exist_ok=True)
        whole, waiting = self.scan.files()
        for seen in whole:
            self._hand_over(seen, accept)
        return len(whole) + waiting

    def _hand_over(self, seen: Seen, accept: Callable[[Document], Mapping[str, int]]) -> None:
        try:
            document = Document.from_path(seen.path)
            if Seen.at(seen.path) != seen:
                return
            accept(document)
        except DocumentError as error:
            self._set_aside(seen, error)
        except FileNotFoundError:
            if seen.path.exists():  # another file is missing, not this one
                raise
        else:
            if Seen.at(seen.path) == seen:
                move(seen.path, self.settings.done_folder)

    def _set_aside(self, seen: Seen, error: DocumentError) -> None:
        if Seen.at(seen.path) != seen:
            return  # it was still being written: it may be correct in the next round
        moved = move(seen.path, self.settings.failed_folder)
        if moved is not None:
            write_durably(moved.with_name(f"{moved.name}.reason.txt"), f"{error}\n")
            sync_folder(moved.parent)


def _make(settings: Settings, context: Context) -> FolderSource:
    for key, folder in (("done", settings.done_folder), ("failed", settings.failed_folder)):
        if folder == settings.path:
            raise ConfigurationError(
                Finding(key=key, message="is the source's own folder.", next_step="Name another folder.")
            )
    return FolderSource(settings, Scan(settings, context.clock))


plugin = simple("Files dropped into a folder", "source", Settings, _make)
