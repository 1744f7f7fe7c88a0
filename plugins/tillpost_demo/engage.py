"""The sandbox as demo and drill use it: a process, an API to seed contacts, and controls for outages."""

from __future__ import annotations

import json
import secrets
from collections.abc import Iterable, Mapping
from pathlib import Path
from typing import Any
from urllib.request import ProxyHandler, Request, build_opener

from tillpost_demo.child import Child, PlayFailed
from tillpost_demo.config import write_secrets

_READY = 30.0  # seconds
SHORT_DAY: Mapping[str, object] = {"import_every": 1, "import_files_every": 0.5}  # seconds
_RATE_LIMIT = 200  # requests/s, Engage's own (contract, rules of conduct)
# Never through a proxy of the environment: the sandbox is on loopback.
_open = build_opener(ProxyHandler({})).open


class Engage:
    """A sandbox on free ports, its secrets in the folder. settings: of the sandbox; SHORT_DAY makes waits short."""

    def __init__(self, folder: Path, settings: Mapping[str, object]) -> None:
        self._key = secrets.token_hex(16)
        self._child = Child(
            "sandbox",
            ["sandbox", "--http", "0", "--sftp", "0", "--api-key", self._key, "--dir", str(folder / "engage")],
            folder,
        )
        try:
            self.ready: dict[str, Any] = json.loads(self._child.first_line(_READY))
            write_secrets(folder, self._key, self.ready["password"])
            self.control("settings", dict(settings))
        except BaseException:
            self._child.end()
            raise

    def __enter__(self) -> Engage:
        return self

    def __exit__(self, *_: object) -> None:
        self._child.end()

    def check(self) -> None:
        """Raise PlayFailed when it has ended."""
        self._child.check()

    def seed(self, contacts: Iterable[Mapping[str, str]]) -> int:
        """Create contacts by the API, as if they had been members for long; how many there are now."""
        self.control("settings", {"rate_limit": 10**6})  # what was there before the day counts against no limit
        for contact in contacts:
            self._ask(f"{self.ready['url']}/api/v3/contacts?source=POS", dict(contact), {"apikey": self._key})
        self.control("settings", {"rate_limit": _RATE_LIMIT})
        return len(self.contacts())

    def take_away(self) -> None:
        """The API's port does not listen from now on."""
        self.control("faults", {"http": "refuse"})

    def bring_back(self) -> None:
        """The API answers again, at the same port."""
        self.control("faults", {"http": "ok"})

    def arrived(self) -> int:
        """How many receipts the API has taken, imported or not."""
        stats = self.control("stats")
        return int(stats["receipts_api"]) + int(stats["queued"])

    def contacts(self) -> list[dict[str, Any]]:
        """The contacts that were neither erased nor merged."""
        return [contact for contact in self.control("contacts") if not contact["gone"]]

    def control(self, name: str, body: dict[str, Any] | None = None) -> Any:
        """The answer of a control, /_sandbox/NAME."""
        return self._ask(f"{self.ready['control']}/_sandbox/{name}", body, {})

    def _ask(self, url: str, body: dict[str, Any] | None, headers: dict[str, str]) -> Any:
        data = None if body is None else json.dumps(body).encode()
        sent = {"Content-Type": "application/json", "User-Agent": "tillpost-demo/1"} | headers
        try:
            with _open(Request(url, data=data, headers=sent), timeout=30) as answer:  # noqa: S310 - our own http URL
                return json.loads(answer.read())
        except OSError as error:
            raise PlayFailed(f"the sandbox did not answer {url}: {error}\n{self._child.tail()}") from error
