"""Engages that a scenario runs against: the one of another hand and our sandbox, each with and without what is not
documented."""

from __future__ import annotations

import json
import urllib.request
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs
import pytest

from tests.support.oracle import API_KEY, EVERYTHING, running_oracle
from tillpost_sandbox import Sandbox


@attrs.frozen
class Destination:
    """An Engage under test. shown: receipt id → contactId of what it has imported."""

    url: str
    register: Callable[..., str]
    merge: Callable[[str, str], None]
    erase: Callable[[str], None]
    shown: Callable[[], dict[str, str]]
    contacts: Callable[[], set[str]]
    attributes: Callable[[str], dict[str, str]]
    """What a contact has: its keys and attributes."""
    correct: Callable[..., None]
    """Customer care changes a contact."""
    fail: Callable[[str], None]
    """Answer everything with this status from now on; "ok" ends it."""


@contextmanager
def _oracle(everything: bool) -> Iterator[Destination]:
    with running_oracle(**(EVERYTHING if everything else {})) as oracle:
        yield Destination(
            url=oracle.url, register=oracle.register, merge=oracle.merge, erase=oracle.erase,
            shown=lambda: dict(oracle.state()["owner"]), contacts=lambda: set(oracle.state()["contacts"]),
            attributes=lambda contact: dict(oracle.state()["contacts"][contact]), correct=oracle.patch,
            fail=lambda status: oracle.mode(http=status),
        )  # fmt: skip


@contextmanager
def _sandbox(folder: Path, everything: bool) -> Iterator[Destination]:
    options: dict[str, object] = {"undocumented": "ok" if everything else "403"}
    folder.mkdir(exist_ok=True)
    with Sandbox(dir=folder, api_key=API_KEY, import_every=0.1, rate_limit=9999, options=options) as sandbox:

        def ask(url: str, body: Any = None, method: str | None = None) -> Any:
            headers = {"apikey": API_KEY, "Content-Type": "application/json"}
            data = None if body is None else json.dumps(body).encode()
            request = urllib.request.Request(url, data, headers, method=method)
            with urllib.request.urlopen(request, timeout=30) as answer:
                return json.loads(answer.read() or b"null")

        def control(name: str, body: Any = None) -> Any:
            return ask(f"{sandbox.control_url}/_sandbox/{name}", body)

        yield Destination(
            url=sandbox.url,
            register=lambda **fields: str(ask(f"{sandbox.url}/api/v3/contacts", fields)["id"]),
            merge=lambda gone, into: control("merge", {"contactId": gone, "into": into}),
            erase=lambda gone: control("erase", {"contactId": gone}),
            shown=lambda: {
                row["uniqueReceiptId"]: row["contactId"] for row in control("receipts") if row["status"] == "imported"
            },
            contacts=lambda: {row["id"] for row in control("contacts") if not row["gone"]},
            attributes=lambda contact: next(row["attributes"] for row in control("contacts") if row["id"] == contact),
            correct=lambda contact, **fields: ask(f"{sandbox.url}/api/v3/contacts/{contact}", fields, "PATCH"),
            fail=lambda status: control("faults", {"http": status}),
        )


ENGAGES = [
    "oracle",
    *(
        pytest.param(each, marks=pytest.mark.slow)
        for each in ("sandbox with everything", "oracle with everything", "sandbox")
    ),
]
"""A plain `pytest` has the one of another hand, which knows documented endpoints only."""
"""Those without everything know documented endpoints only."""


def starter(kind: str, folder: Path) -> Callable[[], Any]:
    """Each call starts one more Engage of the kind, to the end of its block."""
    everything, started = "everything" in kind, iter(range(9))

    def start() -> Any:
        return _oracle(everything) if "oracle" in kind else _sandbox(folder / f"sandbox{next(started)}", everything)

    return start
