"""A failed connection in words: what happened, with which host and port; and how long a server asks to wait."""

from __future__ import annotations

import http.client
import os
import socket
import ssl
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

LONGEST_WAIT = 3600.0  # seconds; a longer Retry-After is taken for an error of the server


def address(host: str, port: int) -> str:
    """`host:port`, an IPv6 address in brackets."""
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def connection_failure(error: BaseException, host: str, port: int, seconds: float) -> str:
    """Why an exchange with this server failed. seconds: how long it was waited for.

    It names no exception and repeats no text of one: they may have what was sent in them.
    """
    where = address(host, port)
    match error:
        case ssl.SSLCertVerificationError():
            return f"the certificate of {where} is not trusted: {error.verify_message or 'it cannot be verified'}"
        case ConnectionRefusedError():
            return f"connection refused by {where}"
        case (
            ssl.SSLEOFError() | ssl.SSLZeroReturnError() | EOFError() | ConnectionError() | http.client.IncompleteRead()
        ):
            return f"{where} closed the connection before it had answered"
        case ssl.SSLError():
            reason = getattr(error, "reason", None)  # not set on every one
            why = f": {reason.replace('_', ' ').lower()}" if reason else ""
            return f"no TLS connection with {where}{why}"
        case TimeoutError():
            return f"no answer from {where} within {seconds:g} s"
        case socket.gaierror():
            return f"host name not found: {host}"
        case http.client.HTTPException() | ValueError():
            return f"{where} answers something that is not HTTP"
        case OSError(errno=int(number)):
            return f"no connection with {where}: {os.strerror(number).lower()}"
    return f"the connection with {where} failed"


def retry_after(header: str | None, now: float) -> float | None:
    """Seconds to wait by a Retry-After header (RFC 9110, 10.2.3): delta-seconds or an HTTP date.

    None for no header, text, a negative number or a date in the past; at most one hour. now: seconds since 1970.
    """
    text = (header or "").strip()
    if text.isascii() and text.isdigit():
        return LONGEST_WAIT if len(text) > 6 else min(float(text), LONGEST_WAIT)
    try:
        moment = parsedate_to_datetime(text)
        aware = moment if moment.tzinfo else moment.replace(tzinfo=UTC)
        seconds = (aware - datetime.fromtimestamp(now, UTC)).total_seconds()
    except (ValueError, TypeError, IndexError, OverflowError):
        return None
    return min(seconds, LONGEST_WAIT) if seconds >= 0 else None
