"""A failed connection in words, without the name of a class and without a text of the error's own."""

from __future__ import annotations

import errno
import http.client
import socket
import ssl

import pytest

from tillpost.kit.network import address, connection_failure

SECRET = "eva@example.com"


def _expired() -> ssl.SSLCertVerificationError:
    error = ssl.SSLCertVerificationError(1, SECRET)
    error.verify_message = "certificate has expired"
    return error


@pytest.mark.parametrize(
    ("error", "words"),
    [
        (ConnectionRefusedError(errno.ECONNREFUSED, SECRET), "connection refused by shop.example:443"),
        (socket.gaierror(socket.EAI_NONAME, SECRET), "host name not found: shop.example"),
        (TimeoutError(SECRET), "no answer from shop.example:443 within 30 s"),
        (ConnectionResetError(SECRET), "shop.example:443 closed the connection before it had answered"),
        (BrokenPipeError(SECRET), "shop.example:443 closed the connection before it had answered"),
        (EOFError(SECRET), "shop.example:443 closed the connection before it had answered"),
        (http.client.RemoteDisconnected(SECRET), "shop.example:443 closed the connection before it had answered"),
        (http.client.IncompleteRead(b"", 9), "shop.example:443 closed the connection before it had answered"),
        (ssl.SSLEOFError(8, SECRET), "shop.example:443 closed the connection before it had answered"),
        (_expired(), "the certificate of shop.example:443 is not trusted: certificate has expired"),
        (ssl.SSLError(1, SECRET), "no TLS connection with shop.example:443"),
        (http.client.BadStatusLine(SECRET), "shop.example:443 answers something that is not HTTP"),
        (OSError(errno.EHOSTUNREACH, SECRET), "no connection with shop.example:443: no route to host"),
        (OSError(SECRET), "the connection with shop.example:443 failed"),
        (ValueError(SECRET), "shop.example:443 answers something that is not HTTP"),
        (RuntimeError(SECRET), "the connection with shop.example:443 failed"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Exception) else "",
)
def test_each_kind_of_failure_has_words_of_its_own(error: Exception, words: str) -> None:
    assert connection_failure(error, "shop.example", 443, 30.0) == words


def test_a_server_that_speaks_no_tls_is_told_from_one_that_is_not_trusted() -> None:
    left, right = socket.socketpair()
    with left, right:
        right.sendall(b"220 Service ready\r\n" * 20)
        right.shutdown(socket.SHUT_WR)
        context = ssl.create_default_context()
        with pytest.raises(ssl.SSLError) as caught:
            context.wrap_socket(left, server_hostname="shop.example").do_handshake()
    words = connection_failure(caught.value, "shop.example", 443, 30.0)
    assert words.startswith("no TLS connection with shop.example:443: ")
    assert "_" not in words


def test_an_ipv6_address_stands_in_brackets() -> None:
    assert address("::1", 22) == "[::1]:22"
    assert address("127.0.0.1", 22) == "127.0.0.1:22"
