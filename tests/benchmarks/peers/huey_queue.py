"""huey on SQLite with fsync: `accept` puts every line into the queue, `deliver` runs its consumer with threads.

`huey_queue.py accept FOLDER FILE URL [FILE URL]…` and `huey_queue.py deliver FOLDER CONNECTIONS TIMEOUT`. The worker
posts by urllib3, which is the cheaper client; a task that fails is tried again each second.
"""

import sys
from pathlib import Path

import urllib3
from huey import SqliteHuey

mode, folder, rest = sys.argv[1], Path(sys.argv[2]), sys.argv[3:]
queue = SqliteHuey("receipts", filename=str(folder / "huey.db"), fsync=True, results=False)
connections, timeout = (int(rest[0]), float(rest[1])) if mode == "deliver" else (1, 1.0)
pool = urllib3.PoolManager(maxsize=connections, block=True)


@queue.task(retries=1_000_000, retry_delay=1)
def send(url: str, line: bytes) -> None:
    """Post one line; anything but a 2xx is an error, which huey tries again."""
    answer = pool.request(
        "POST",
        f"{url}/api/v3/receipts",
        body=line,
        headers={"Content-Type": "application/json"},
        retries=False,
        timeout=timeout,
    )
    if answer.status >= 300:
        raise RuntimeError(f"answered {answer.status}")


if mode == "accept":
    for name, url in zip(rest[::2], rest[1::2], strict=True):
        with Path(name).open("rb") as file:
            for line in file:
                send(url, line)
else:
    queue.create_consumer(workers=connections, worker_type="thread", initial_delay=0.01, max_delay=0.1).run()
