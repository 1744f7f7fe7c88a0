"""The servers of this process: pipelines with the same address share one, which runs while one of them serves."""

from __future__ import annotations

import os
import ssl
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING
from weakref import WeakValueDictionary

import attrs

from tillpost import ConfigurationError, Finding, TillpostError
from tillpost_ingest.address import parse
from tillpost_ingest.receive import Endpoint
from tillpost_ingest.settings import Settings

if TYPE_CHECKING:
    from tillpost_ingest.server import Server


@attrs.frozen
class ServerOptions:
    """What all pipelines at one address must have in common."""

    certificate: Path | None
    key: Path | None
    timeout: float
    """Seconds."""


class Listener:
    """One address. It is opened when the first pipeline serves."""

    def __init__(self, address: tuple[str, int], options: ServerOptions) -> None:
        self.address = address
        self.options = options
        self.endpoints: dict[str, Endpoint] = {}
        self._lock = threading.Lock()
        self._serving = 0
        self._server: Server | None = None

    @contextmanager
    def open(self, pipeline: str, endpoint: Endpoint) -> Iterator[None]:
        """Take requests for a pipeline; those in flight at the end are answered. Raises TillpostError."""
        with self._lock:
            self.endpoints = {**self.endpoints, pipeline: endpoint}
            try:
                if self._server is None:
                    self._server = self._start()
            except BaseException:
                del self.endpoints[pipeline]
                raise
            self._serving += 1
        try:
            yield
        finally:
            with self._lock:
                self._serving -= 1
                if not self._serving and self._server is not None:
                    self._server.stop()  # before the endpoint closes: requests under way are answered
                    self._server = None
            endpoint.close()
            with self._lock:
                self.endpoints = {name: open_ for name, open_ in self.endpoints.items() if open_ is not endpoint}

    def _start(self) -> Server:
        from tillpost_ingest.server import Server

        context = tls(self.options.certificate, self.options.key)
        server = Server(self.address, context, self.options.timeout, lambda: self.endpoints)
        try:
            server.begin()
        except OSError as error:
            host, port = self.address
            why = os.strerror(error.errno) if error.errno else "the address is not valid"
            raise TillpostError(f"cannot listen at {host}:{port}: {why}") from None
        return server


_LISTENERS: WeakValueDictionary[tuple[str, int], Listener] = WeakValueDictionary()
_LOCK = threading.Lock()


def listener_at(settings: Settings) -> Listener:
    """The listener of this address, of which there is one in the process.

    Raises ConfigurationError when another pipeline has it with other settings, or the certificate cannot be used.
    """
    address = parse(settings.listen)
    options = ServerOptions(settings.certificate, settings.key, settings.timeout.total_seconds())
    _try_certificate(options)
    with _LOCK:
        found = _LISTENERS.get(address)
        if found is None:
            found = _LISTENERS[address] = Listener(address, options)
        if found.options != options:
            raise ConfigurationError(
                Finding(
                    key="source.listen",
                    message=f"{settings.listen} is used by another pipeline with another certificate, key or timeout.",
                    next_step="Give both the same, or another port.",
                )
            )
        return found


def tls(certificate: Path | None, key: Path | None) -> ssl.SSLContext | None:
    """TLS 1.2 or 1.3 with this certificate; None without one. Raises OSError (ssl.SSLError is one)."""
    if certificate is None or key is None:
        return None
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.load_cert_chain(certificate, key, password=lambda: "")  # an encrypted key must not ask a terminal
    return context


def _try_certificate(options: ServerOptions) -> None:
    for name, path in (("certificate", options.certificate), ("key", options.key)):
        try:
            if path is not None:
                path.read_bytes()
        except OSError as error:
            raise ConfigurationError(
                Finding(key=f"source.{name}", message=f"{path} cannot be read: {error.strerror}.")
            ) from None
    try:
        tls(options.certificate, options.key)
    except OSError:
        raise ConfigurationError(
            Finding(
                key="source.certificate",
                message="is not a certificate in PEM form with its key in `key` (without a passphrase).",
                next_step="Name the file with the whole chain, and the key that belongs to it.",
            )
        ) from None
