"""What can be set for a transfer into a folder."""

from __future__ import annotations

from pathlib import Path

import attrs


@attrs.frozen(kw_only=True)
class Settings:
    """path: the folder that has transactionImport and contactImport.

    Those two are not made: without them an empty mount point would be taken for the share that should lie there.
    """

    path: Path
