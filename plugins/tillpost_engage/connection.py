"""urllib3 connections that know the exchange they serve: its deadline, and when its first byte is sent."""

from __future__ import annotations

import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.util import Url

from tillpost_engage.deadline import Exchange


class _Serving(HTTPConnection):
    """What both kinds of connection add to urllib3's."""

    _exchange: Exchange

    def serve(self, exchange: Exchange) -> None:
        """Use the connection for this exchange from now on."""
        self._exchange = exchange
        if self.sock is not None:
            self.sock.settimeout(max(0.001, exchange.left()))
            exchange.watch(self.sock)

    def _new_conn(self) -> socket.socket:
        """Connect within the time left, an equal share for each address of the host. Raises OSError."""
        exchange = self._exchange
        try:
            found = socket.getaddrinfo(self._dns_host, self.port, 0, socket.SOCK_STREAM)
        except UnicodeError:  # a name no name server can have
            raise socket.gaierror(socket.EAI_NONAME, "not a host name") from None
        failure: OSError = socket.gaierror(socket.EAI_NONAME, "no address")
        for index, (family, kind, protocol, _, address) in enumerate(found):
            connecting = socket.socket(family, kind, protocol)
            try:
                connecting.settimeout(max(0.001, exchange.left() / (len(found) - index)))
                connecting.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
                connecting.connect(address)
            except OSError as error:
                connecting.close()
                failure = error
                continue
            connecting.settimeout(max(0.001, exchange.left()))
            exchange.watch(connecting)
            return connecting
        raise failure

    def send(self, data: Any) -> None:
        """Send, and note that from here on Engage may have received something."""
        self._exchange.sent = True
        super().send(data)


class _Plain(_Serving):
    pass


class _Tls(_Serving, HTTPSConnection):
    pass


Connection = _Plain | _Tls


def connection_to(url: Url) -> Connection:
    """A connection that is not open yet; call `serve` first."""
    kind = _Tls if url.scheme == "https" else _Plain
    assert url.host is not None
    return kind(url.host.strip("[]"), url.port)
