"""No journal at all: threads read the lines and post them by requests.Session; after three tries a line is given up.

`plain_loop.py CONNECTIONS TIMEOUT FILE URL [FILE URL]…`. Started again, it begins at the first line: it knows nothing.
"""

import sys
import threading
import time
from collections.abc import Iterator
from itertools import zip_longest
from pathlib import Path

import requests

TRIES = 3


def read() -> Iterator[tuple[str, bytes]]:
    """The lines of all files in turn, each with its address."""
    given = [(Path(name), url) for name, url in zip(sys.argv[3::2], sys.argv[4::2], strict=True)]
    for row in zip_longest(*(path.read_bytes().splitlines(keepends=True) for path, _ in given)):
        yield from ((url, line) for (_, url), line in zip(given, row, strict=True) if line)


todo, lock = read(), threading.Lock()


def work(timeout: float) -> None:
    """One worker, until there are no more lines."""
    session = requests.Session()
    while True:
        with lock:
            found = next(todo, None)
        if found is None:
            return
        url, line = found
        for tried in range(1, TRIES + 1):
            try:
                session.post(
                    f"{url}/api/v3/receipts", data=line, headers={"Content-Type": "application/json"}, timeout=timeout
                ).raise_for_status()
                break
            except requests.RequestException:
                if tried < TRIES:
                    time.sleep(tried)


threads = [threading.Thread(target=work, args=(float(sys.argv[2]),)) for _ in range(int(sys.argv[1]))]
for thread in threads:
    thread.start()
