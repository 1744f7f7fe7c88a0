"""The channels by which a notice reaches a person: a command, a webhook, a mail. Standard library only."""

from __future__ import annotations

import json
import shutil
import smtplib
import socket
import ssl
import subprocess
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from tillpost.compose.alert_settings import AlertSettings, Email, Webhook
from tillpost.journal import Alert
from tillpost.kit.network import connection_failure
from tillpost.terminal import when

TIMEOUT = 15.0
"""Seconds a channel may take."""


class ChannelError(Exception):
    """A channel failed; the reason has no key and no address of a person."""


def notice(pipeline: str, event: str, alert: Alert) -> dict[str, Any]:
    """The message for a channel: event (`raised`, `over` or `test`), the alert's key, and its texts."""
    return {
        "event": event,
        "pipeline": pipeline,
        "alert": alert.key,
        **{name: getattr(alert, name) for name in ("what", "means", "next_step")},
        "raised_at": when(alert.raised_at),
        "over_at": when(alert.over_at),
    }


def send(channel: str, settings: AlertSettings, message: dict[str, Any]) -> None:
    """Send the message by a channel. Raises ChannelError."""
    match channel:
        case "command":
            _command(settings.command, message)
        case "webhook" if settings.webhook is not None:
            _webhook(settings.webhook, message)
        case "email" if settings.email is not None:
            _email(settings.email, message)


def try_channel(channel: str, settings: AlertSettings) -> None:
    """Whether the channel could send, as far as can be seen without a notice. Raises ChannelError."""
    match channel:
        case "command":
            if shutil.which(settings.command[0]) is None:
                raise ChannelError(f"{settings.command[0]} is not a program that this user can start")
        case "webhook" if settings.webhook is not None:
            _reach(settings.webhook.url)
        case "email" if settings.email is not None:
            _reach_mail(settings.email)


def _reach(url: str) -> None:
    """Connect, with TLS for https, and send nothing. A proxy of the environment is not tried."""
    parts = urllib.parse.urlsplit(url)
    host, port = parts.hostname or "", parts.port or (443 if parts.scheme == "https" else 80)
    if urllib.request.getproxies().get(parts.scheme) and not urllib.request.proxy_bypass(host):
        return
    try:
        with socket.create_connection((host, port), TIMEOUT) as plain:
            if parts.scheme == "https":
                ssl.create_default_context().wrap_socket(plain, server_hostname=host).close()
    except (OSError, ValueError) as error:
        why = connection_failure(error, host, port, TIMEOUT)
        raise ChannelError(f"the webhook cannot be reached: {why}") from None


def _reach_mail(mail: Email) -> None:
    try:
        with _mail_server(mail) as server:
            server.noop()
    except (smtplib.SMTPException, OSError, ValueError) as error:
        raise ChannelError(
            f"the mail server {mail.host} cannot be used: {_cause(error, mail.host, mail.port)}"
        ) from None


@contextmanager
def _mail_server(mail: Email) -> Iterator[smtplib.SMTP]:
    """Connected, with TLS and login as the settings want it."""
    with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT) as server:
        if mail.tls == "starttls":
            server.starttls(context=ssl.create_default_context())
        if mail.user and mail.password is not None:
            server.login(mail.user, mail.password.reveal())
        yield server


def _command(words: tuple[str, ...], message: dict[str, Any]) -> None:
    try:
        done = subprocess.run(
            words,
            input=json.dumps(message, ensure_ascii=False).encode() + b"\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise ChannelError(f"{words[0]} did not end within {TIMEOUT:g} s") from None
    except OSError as error:
        raise ChannelError(f"{words[0]} cannot be started: {error.strerror}") from None
    if done.returncode:
        raise ChannelError(f"{words[0]} ended with exit code {done.returncode}")


class _NoRedirect(urllib.request.HTTPRedirectHandler):
    """Follows no redirect: a redirected POST would become a GET without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _webhook(hook: Webhook, message: dict[str, Any]) -> None:
    headers = {name: secret.reveal() for name, secret in hook.headers.items()}
    body = json.dumps(message, ensure_ascii=False).encode()
    request = urllib.request.Request(  # noqa: S310 - http and https only, by the settings
        hook.url, body, {"Content-Type": "application/json", **headers}, method="POST"
    )
    try:
        urllib.request.build_opener(_NoRedirect).open(request, timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise ChannelError(f"the webhook answered {error.code}") from None
    except (OSError, ValueError) as error:
        parts = urllib.parse.urlsplit(hook.url)
        reason = getattr(error, "reason", error)  # urllib puts the error itself there
        cause = reason if isinstance(reason, Exception) else error
        port = parts.port or (443 if parts.scheme == "https" else 80)
        why = connection_failure(cause, parts.hostname or "", port, TIMEOUT)
        raise ChannelError(f"the webhook cannot be reached: {why}") from None


def _email(mail: Email, message: dict[str, Any]) -> None:
    email = EmailMessage()
    email["From"] = mail.sender
    email["To"] = ", ".join(mail.to)
    email["Date"] = formatdate(localtime=True)
    email["Message-ID"] = make_msgid(domain="tillpost.invalid")
    over = "over: " if message["event"] == "over" else ""
    email["Subject"] = " ".join(f"[{message['pipeline']}] {over}{message['what']}".split())[:200]
    email.set_content("\n\n".join(str(message[key]) for key in ("what", "means", "next_step")) + "\n")
    try:
        with _mail_server(mail) as server:
            server.send_message(email)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        reason = _cause(error, mail.host, mail.port)
        raise ChannelError(f"the mail server {mail.host} did not accept the notice: {reason}") from None


def _cause(error: Exception, host: str, port: int) -> str:
    """Why a mail failed, in words, without what the server wrote: it may name a person."""
    match error:
        case smtplib.SMTPRecipientsRefused():
            codes = sorted({str(code) for code, _ in error.recipients.values()})
            return f"it refuses the recipients ({', '.join(codes)})"
        case smtplib.SMTPAuthenticationError():
            return f"it refuses user or password ({error.smtp_code})"
        case smtplib.SMTPResponseException():
            return f"it answered {error.smtp_code}"
        case smtplib.SMTPNotSupportedError():
            return "it does not offer STARTTLS or the login"
        case smtplib.SMTPServerDisconnected():
            return "it closed the connection"
    return connection_failure(error, host, port, TIMEOUT)
