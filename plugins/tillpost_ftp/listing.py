"""The size of a file, read from the answers of servers that do not answer SIZE."""

from __future__ import annotations

import ftplib
import re
from collections.abc import Iterable

_FACT = re.compile(r"(?:^|[ ;])size=(\d+);", re.IGNORECASE | re.MULTILINE)
# -rw-r--r--    1 1000     1000       300000 Nov 24 11:50 name
_UNIX = re.compile(r"-\S{9,}\s+\d+\s+\S+\s+\S+\s+(\d+)\s+\S+\s+\S+\s+\S+ (.+)")
# 11-24-26  11:50AM               300000 name
_DOS = re.compile(r"\d\d-\d\d-\d\d(?:\d\d)?\s+\d\d:\d\d(?:[AP]M)?\s+(\d+) (.+)")


def size_in_facts(answer: str) -> int | None:
    """The size in an answer to MLST (RFC 3659, section 7); None when it has none."""
    found = _FACT.search(answer)
    return int(found[1]) if found else None


def size_in_list(lines: Iterable[str], name: str) -> int | None:
    """The size of the file of that name in an answer to LIST, in the form of Unix or of Windows; None: not in it.

    The name may have its path before it. Raises ftplib.error_reply when it is there in another form.
    """
    for line in map(str.strip, lines):
        found = _UNIX.fullmatch(line) or _DOS.fullmatch(line)
        if re.split(r"[/\\]", found[2] if found else line.rpartition(" ")[2])[-1] != name:
            continue
        if found is None:
            raise ftplib.error_reply("LIST")
        return int(found[1])
    return None
