"""The sandbox put together: in a test as a context manager, on the command line by `run`."""

import json
import signal
import sys
import threading
from collections.abc import Iterator
from pathlib import Path
from queue import SimpleQueue
from typing import Any

from tillpost_sandbox import contacts, wire
from tillpost_sandbox.engage import Engage
from tillpost_sandbox.files import ImportFolders
from tillpost_sandbox.http import HOST, Port
from tillpost_sandbox.request import RefusalError
from tillpost_sandbox.settings import BadSettingError, Settings
from tillpost_sandbox.sftp import USER, SftpPort, kept_password
from tillpost_sandbox.state import State


class Sandbox:
    """An Engage on loopback: `with Sandbox(dir=..., api_key=...) as sandbox: sandbox.url …`.

    dir: the folder for state, host key and import folders; what it holds survives a restart. http, sftp:
    ports, 0 for free ones. import_every and import_files_every: seconds. seed_contacts: a file of contacts as
    a JSON array or JSON lines, taken in at the start unless they exist. options: any other setting, by name.
    Raises OSError when a port is taken, settings.BadSettingError for a setting, and ImportError without the
    extra `tillpost[sftp]`.
    """

    def __init__(
        self,
        *,
        dir: Path,
        api_key: str,
        http: int = 0,
        sftp: int = 0,
        password: str | None = None,
        import_every: float = 900.0,
        import_files_every: float = 5.0,
        rate_limit: int = 200,
        seed_contacts: Path | None = None,
        options: dict[str, object] | None = None,
    ) -> None:
        dir.mkdir(parents=True, exist_ok=True)
        self.dir = dir
        named = {"import_every": import_every, "import_files_every": import_files_every, "rate_limit": rate_limit}
        settings = Settings(api_keys=frozenset({api_key})).changed({**named, **(options or {})})
        folders = ImportFolders(home=dir / "sftp", rejected=dir / "rejected")
        folders.make()
        self.engage = Engage(State(dir / "state.jsonl"), folders, settings)
        self.user, self.password = USER, kept_password(dir / "sftp_password", password)
        self._seed_contacts = seed_contacts
        self._wanted_http = http
        self._sftp = SftpPort(folders.home, dir / "host_key", self.password, self.engage.faults, sftp)
        self._timers: list[threading.Thread] = []
        self._api: Port | None = None
        self._control: Port | None = None

    def __enter__(self) -> "Sandbox":
        """Open all ports and start the timers."""
        try:
            if self._seed_contacts is not None:
                seed(self.engage, self._seed_contacts)
            self._api = Port(self.engage, self._wanted_http, self._apply_faults, only_control=False)
            self._control = Port(self.engage, 0, self._apply_faults, only_control=True)
            self._sftp.start()
            self._api.open()
            self._control.open()
        except BaseException:
            self.__exit__()
            raise
        for setting, work in (
            ("import_every", self.engage.import_receipts),
            ("import_files_every", self.engage.import_files),
        ):
            self._timers.append(threading.Thread(target=self.engage.repeat, args=(setting, work), daemon=True))
            self._timers[-1].start()
        return self

    def __exit__(self, *_: object) -> None:
        """Stop everything; what was accepted is on disk."""
        self.engage.faults.set({"http": "ok", "sftp": "ok"})  # releases hanging requests
        self.engage.end()
        for timer in self._timers:
            timer.join()
        for port in (self._api, self._control):
            if port is not None:
                port.close()
        self._sftp.close()
        self.engage.state.close()

    @property
    def http_port(self) -> int:
        """The port of the API."""
        return self._api.number if self._api else 0

    @property
    def url(self) -> str:
        """Where the API is: the base, without /api/v3."""
        return f"http://{HOST}:{self.http_port}"

    @property
    def control_url(self) -> str:
        """Where /_sandbox/ is served, whatever fault is set."""
        return f"http://{HOST}:{self._control.number if self._control else 0}"

    @property
    def sftp_port(self) -> int:
        """The port of the SFTP server."""
        return self._sftp.number

    @property
    def host_key(self) -> str:
        """The SFTP server's public key, `ssh-ed25519 AAAA…`."""
        return self._sftp.host_key

    def ready(self) -> dict[str, object]:
        """What a client needs to know, as in the line printed when it is ready."""
        return {
            "http": self.http_port,
            "sftp": self.sftp_port,
            "url": self.url,
            "control": self.control_url,
            "host_key": self.host_key,
            "user": self.user,
            "password": self.password,
            "path": "/integration",
            "dir": str(self.dir),
        }

    def _apply_faults(self) -> None:
        if self._api is not None:
            self._api.refuse() if self.engage.faults.http.kind == "refuse" else self._api.open()
        self._sftp.refuse() if self.engage.faults.sftp.kind == "refuse" else self._sftp.open()


def seed(engage: Engage, path: Path) -> None:
    """Create the contacts of a file, JSON array or JSON lines; one that exists stays as it is.

    A contact may have its own `id`. Raises BadSettingError for the first that is invalid; those before it are kept.
    """
    raw = path.read_bytes().strip()
    try:
        values = wire.loads(raw) if raw.startswith(b"[") else list(_lines(raw))
    except wire.NotJsonError as error:
        raise _bad_seed(path, str(error)) from None
    for number, value in enumerate(values if isinstance(values, list) else (), 1):
        if not isinstance(value, dict):
            raise _bad_seed(path, f"contact {number} is not an object")
        wanted = value.get("id")
        if wanted and str(wanted).lower() in engage.state.contacts:
            continue
        with engage.state.lock:
            wanted_id = str(wanted).lower() if wanted else None
            try:
                contacts.create(engage.state, engage.settings, value, origin="seed", wanted_id=wanted_id)
            except RefusalError as error:
                raise _bad_seed(path, f"contact {number}: {error.message}") from None


def _lines(raw: bytes) -> Iterator[object]:
    for number, line in enumerate(raw.splitlines(), 1):
        if line.strip():
            try:
                yield wire.loads(line)
            except wire.NotJsonError as error:
                raise wire.NotJsonError(f"line {number} of the file: {error}") from None


def _bad_seed(path: Path, what: str) -> BadSettingError:
    form = 'a JSON array of contacts, or one a line, such as {"externalId": "17", "email": "a@example.com"}'
    return BadSettingError(f"{path}: {what}; --seed-contacts names {form}")


def run(**options: Any) -> int:
    """Run a sandbox until SIGTERM or SIGINT; prints one JSON line when it is ready, and returns 0.

    options: those of Sandbox. For one that is wrong it says so on stderr, and returns 2.
    """
    # Not an Event: a second signal inside its `set` waits for ever for a lock that the first one holds.
    signals: SimpleQueue[int] = SimpleQueue()
    for number in (signal.SIGTERM, signal.SIGINT):
        signal.signal(number, lambda received, _: signals.put(received))
    try:
        with Sandbox(**options) as sandbox:
            sys.stdout.write(json.dumps(sandbox.ready()) + "\n")
            sys.stdout.flush()
            signals.get()
    except BadSettingError as error:
        sys.stderr.write(f"tillpost: {error}\n")
        return 2
    return 0
