"""One row of a document."""

from __future__ import annotations

import attrs


@attrs.define
class Row:
    """One row: column → text, where it stands, and its bytes.

    fault: why it cannot be read, "" when it can. is_short: the fault is that it has fewer fields than the header.
    ignored: by `ignore_rows`; only its bytes are kept. is_footer: it has the sums of the table, and no receipt.
    """

    cells: dict[str, str] = attrs.field(repr=False)
    place: str
    raw: bytes = attrs.field(repr=False)
    fault: str = ""
    is_short: bool = False
    ignored: bool = False
    is_footer: bool = False
