"""persist-queue's SQLiteAckQueue with requests: get, post, ack; what fails goes back after a second.

`persist_queue.py accept FOLDER FILE URL [FILE URL]…` and `persist_queue.py deliver FOLDER CONNECTIONS TIMEOUT`. What is
acknowledged is deleted every hundred, or each get would look through all of it.
"""

import sys
import threading
import time
from pathlib import Path

import requests
from persistqueue import SQLiteAckQueue

mode, folder, rest = sys.argv[1], sys.argv[2], sys.argv[3:]
queue = SQLiteAckQueue(folder, multithreading=True)


def work(timeout: float) -> None:
    """One worker: it never ends."""
    session, done = requests.Session(), 0
    while True:
        item = queue.get()
        url, line = item
        try:
            session.post(
                f"{url}/api/v3/receipts", data=line, headers={"Content-Type": "application/json"}, timeout=timeout
            ).raise_for_status()
        except requests.RequestException:
            time.sleep(1)
            queue.nack(item)
            continue
        queue.ack(item)
        done += 1
        if done % 100 == 0:
            queue.clear_acked_data(max_delete=10_000, keep_latest=0)


if mode == "accept":
    for name, url in zip(rest[::2], rest[1::2], strict=True):
        with Path(name).open("rb") as file:
            for line in file:
                queue.put((url, line))
else:
    threads = [threading.Thread(target=work, args=(float(rest[1]),)) for _ in range(int(rest[0]))]
    for thread in threads:
        thread.start()
