"""Transfers files into a folder of this machine, such as a mounted share, each whole or not at all."""

from __future__ import annotations

from tillpost import Context, simple
from tillpost_directory.settings import Settings
from tillpost_directory.transfer import DirectoryTransfer


def _make(settings: Settings, _context: Context) -> DirectoryTransfer:
    return DirectoryTransfer(settings)


plugin = simple("transfer into a folder, such as a mounted share", "transfer", Settings, _make)
