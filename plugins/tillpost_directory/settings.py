"""The settings of a transfer into a folder."""

from __future__ import annotations

from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """path: the folder that has transactionImport and contactImport.

    Those two are not created: an empty mount point must not be mistaken for the share.
    """

    path: Path
