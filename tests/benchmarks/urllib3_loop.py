"""The bare limit of a delivery: threads that post lines held in memory by urllib3, and do nothing else.

`python -m tests.benchmarks.urllib3_loop CONNECTIONS FILE URL`
"""

from __future__ import annotations

import sys
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import urllib3


def post_all(url: str, lines: Iterator[bytes], connections: int) -> None:
    """Post every line once, over so many kept connections."""
    pool = urllib3.PoolManager(maxsize=connections, block=True)
    lock = threading.Lock()

    def work() -> None:
        while True:
            with lock:
                line = next(lines, None)
            if line is None:
                return
            pool.request(
                "POST",
                f"{url}/api/v3/receipts",
                body=line,
                headers={"Content-Type": "application/json", "Accept": "application/json"},
                retries=False,
            )

    with ThreadPoolExecutor(connections) as threads:
        for working in [threads.submit(work) for _ in range(connections)]:
            working.result()


if __name__ == "__main__":
    post_all(sys.argv[3], iter(Path(sys.argv[2]).read_bytes().splitlines(keepends=True)), int(sys.argv[1]))
