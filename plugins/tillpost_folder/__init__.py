"""Source `folder`: files a till or a transfer writes there, moved away once their receipts are committed."""

from __future__ import annotations

from tillpost import ConfigurationError, Context, Finding, simple
from tillpost_folder.settings import Settings
from tillpost_folder.source import FolderSource


def _make(settings: Settings, context: Context) -> FolderSource:
    for key, folder in (("done", settings.done_folder), ("failed", settings.failed_folder)):
        if folder == settings.path:
            raise ConfigurationError(
                Finding(key=key, message="is the source's own folder.", next_step="Name another folder.")
            )
    return FolderSource.of(settings, context)


plugin = simple("Files dropped into a folder", "source", Settings, _make)
