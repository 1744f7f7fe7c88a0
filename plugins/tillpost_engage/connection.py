"""urllib3 connections that know the exchange they serve: its deadline, and when its first byte leaves."""

from __future__ import annotations

import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import NameResolutionError, NewConnectionError

from tillpost_engage.deadline import Exchange

_here = threading.local()


@contextmanager
def serving(exchange: Exchange) -> Iterator[Exchange]:
    """Connections used by this thread inside the block serve this exchange."""
    _here.exchange = exchange
    try:
        yield exchange
    finally:
        _here.exchange = None
        exchange.finish()


def _exchange() -> Exchange:
    found = getattr(_here, "exchange", None)
    if not isinstance(found, Exchange):
        raise RuntimeError("a connection is used outside `serving`")
    return found


class _Serving(HTTPConnection):
    """What both kinds of connection add to urllib3's."""

    def _new_conn(self) -> socket.socket:
        """Connect within what is left of the deadline, an equal share for each address of the host."""
        exchange = _exchange()
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except (socket.gaierror, UnicodeError) as error:
            gone = error if isinstance(error, socket.gaierror) else socket.gaierror(str(error))
            raise NameResolutionError(self.host, self, gone) from None
        failure = "no address"
        for index, (family, kind, protocol, _, address) in enumerate(found):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.settimeout(max(0.001, exchange.left() / (len(found) - index)))
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                failure = type(error).__name__
                continue
            connecting.settimeout(max(0.001, exchange.left()))
            exchange.watch(connecting)
            return connecting
        raise NewConnectionError(self, failure)

    def request(self, *args: Any, **options: Any) -> None:
        """Also watch a kept connection, which was made for an earlier exchange."""
        if self.sock is not None:
            _exchange().watch(self.sock)
        super().request(*args, **options)

    def send(self, data: Any) -> None:
        """Note that from here on the far side may have seen something."""
        if self.sock is None:
            self.connect()
        _exchange().sent = True
        super().send(data)


class _Plain(_Serving):
    pass


class _Tls(_Serving, HTTPSConnection):
    pass


class PlainPool(HTTPConnectionPool):
    """A pool of watched connections."""

    ConnectionCls = _Plain


class TlsPool(HTTPSConnectionPool):
    """A pool of watched connections over TLS."""

    ConnectionCls = _Tls
