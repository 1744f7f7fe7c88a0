"""The settings of the source `folder`."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import attrs

from tillpost.kit.settings import must

_not_negative = must("not be negative", lambda length: length >= timedelta(0))


@attrs.frozen(kw_only=True)
class Settings:
    """path: the folder a till or a transfer writes files to; its subfolders are not read.

    done: where a file goes after its receipts are committed; default `<path>/done`.
    failed: where a file that cannot be read goes, with the reason beside it; default `<path>/failed`.
    settle: how long a file must stay unchanged before it is read; "0s" reads it at once.
    watch: how long a file is watched after it was put away: what its writer still adds is read; "0s" watches none.
    pattern: which names are read (shell pattern, such as `*.xml`).
    """

    path: Path
    done: Path | None = None
    failed: Path | None = None
    settle: timedelta = attrs.field(default=timedelta(seconds=2), validator=_not_negative)
    watch: timedelta = attrs.field(default=timedelta(hours=1), validator=_not_negative)
    pattern: str = attrs.field(default="*", validator=attrs.validators.min_len(1))

    @property
    def done_folder(self) -> Path:
        """Where accepted files go."""
        return self.done or self.path / "done"

    @property
    def failed_folder(self) -> Path:
        """Where unreadable files go."""
        return self.failed or self.path / "failed"
