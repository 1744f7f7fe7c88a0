"""A connection with the broker and its queue; and what went wrong with it, in words."""

from __future__ import annotations

import logging
import ssl
from collections.abc import Iterator
from contextlib import contextmanager, suppress

import pika
import pika.exceptions as faults
from pika.adapters.blocking_connection import BlockingChannel
from pika.adapters.utils.connection_workflow import AMQPConnectorException, AMQPConnectorStackTimeout

from tillpost.kit.network import address, connection_failure
from tillpost.model import Misconfigured, NotSent
from tillpost_amqp.settings import Settings

# It tells each failed connection in several lines of its own; ours is in the status and in the log.
logging.getLogger("pika").setLevel(logging.CRITICAL)
ERRORS = (faults.AMQPError, AMQPConnectorException, OSError)
"""What an exchange with the broker may raise."""
_NO_ACCESS, _NOT_FOUND, _LOCKED, _DIFFERS, _NOT_ALLOWED = 403, 404, 405, 406, 530
"""Reply codes of AMQP 0-9-1."""


@contextmanager
def connected(settings: Settings) -> Iterator[pika.BlockingConnection]:
    """An open connection. Raises one of ERRORS."""
    host, port = settings.address
    seconds = settings.timeout.total_seconds()
    context = ssl.create_default_context(cafile=settings.ca) if settings.tls else None
    connection = pika.BlockingConnection(
        pika.ConnectionParameters(
            host, port, settings.vhost,
            pika.PlainCredentials(settings.user, settings.password.reveal()),
            ssl_options=pika.SSLOptions(context, host) if context is not None else None,
            socket_timeout=seconds, stack_timeout=seconds, blocked_connection_timeout=seconds,
            client_properties={"product": "tillpost"},
        )
    )  # fmt: skip
    try:
        yield connection
    finally:
        with suppress(*ERRORS):
            connection.close()


def queue_channel(connection: pika.BlockingConnection, settings: Settings) -> BlockingChannel:
    """A channel whose queue is there, and bound where an exchange is set. Raises one of ERRORS."""
    channel = connection.channel()
    try:
        channel.queue_declare(settings.queue, passive=True)
    except faults.ChannelClosedByBroker as error:
        if error.reply_code != _NOT_FOUND or not settings.exchange:
            raise
        channel = connection.channel()
        channel.queue_declare(settings.queue, durable=True)
    if settings.exchange:
        for key in settings.keys:
            channel.queue_bind(settings.queue, settings.exchange, key)
    return channel


def failure(error: Exception, settings: Settings) -> NotSent | Misconfigured:
    """Why the queue cannot be read."""
    where, place = address(*settings.address), f"queue {settings.queue!r}"
    code = getattr(error, "reply_code", 0)
    match error:
        case faults.ProbableAuthenticationError() | faults.AuthenticationError():
            return Misconfigured(reason=f"{where} refuses user {settings.user!r} or the password")
        case faults.ProbableAccessDeniedError():
            return Misconfigured(reason=f"{where} gives user {settings.user!r} no access to vhost {settings.vhost!r}")
        case faults.ConnectionClosedByBroker() if code in (_NO_ACCESS, _NOT_ALLOWED):
            return Misconfigured(reason=f"{where} gives user {settings.user!r} no access to vhost {settings.vhost!r}")
        case faults.ChannelClosedByBroker() if code == _NO_ACCESS and "exclusive" in getattr(error, "reply_text", ""):
            reason = f"{place} of {where} is read by another program that wants it alone; end that one"
            return NotSent(reason=reason)
        case faults.ChannelClosedByBroker() if code == _NO_ACCESS:
            rights = "read" if not settings.exchange else "read, or make and bind,"
            return Misconfigured(reason=f"{where}: user {settings.user!r} may not {rights} {place}")
        case faults.ChannelClosedByBroker() if code == _NOT_FOUND and settings.exchange:
            return Misconfigured(reason=f"{where} has no exchange {settings.exchange!r} in vhost {settings.vhost!r}")
        case faults.ChannelClosedByBroker() if code == _NOT_FOUND:
            return Misconfigured(reason=f"{where} has no {place} in vhost {settings.vhost!r}")
        case faults.ChannelClosedByBroker() if code == _LOCKED:
            return NotSent(reason=f"{place} of {where} belongs to another connection alone")
        case faults.ChannelClosedByBroker() if code == _DIFFERS:
            return NotSent(reason=f"{where} has closed the channel: a message was in hand for longer than it allows")
    cause = TimeoutError() if isinstance(error, AMQPConnectorStackTimeout) else _cause(error)
    if cause is not None:
        reason = connection_failure(cause, *settings.address, settings.timeout.total_seconds())
        return NotSent(reason=reason)
    return NotSent(reason=f"the connection with {where} was lost")


def _cause(error: BaseException) -> OSError | None:
    """The system's own error inside pika's."""
    if isinstance(error, OSError):
        return error
    inside = (*error.args, getattr(error, "exception", None), *(getattr(error, "exceptions", None) or ()))
    for each in inside:
        if isinstance(each, BaseException) and (found := _cause(each)) is not None:
            return found
    return None
