"""The ways by which a notice reaches a person: a command, a webhook, a mail. From the standard library alone."""

from __future__ import annotations

import json
import smtplib
import ssl
import subprocess
import urllib.error
import urllib.request
from email.message import EmailMessage
from email.utils import formatdate, make_msgid
from typing import Any

from tillpost.clock import iso
from tillpost.compose.alerting import Alerting, Email, Webhook
from tillpost.journal import Alert

TIMEOUT = 15.0
"""Seconds a channel may take."""


class NotTaken(Exception):
    """A channel did not take the notice; why, without a key or an address of a person."""


def notice(pipeline: str, event: str, alert: Alert) -> dict[str, Any]:
    """What a channel is given: event (`raised`, `over` or `test`), rule and key, and the texts."""
    return {
        "event": event,
        "pipeline": pipeline,
        "alert": alert.key,
        "what": alert.what,
        "means": alert.means,
        "next_step": alert.next_step,
        "raised_at": iso(alert.raised_at),
        "over_at": None if alert.over_at is None else iso(alert.over_at),
    }


def send(channel: str, settings: Alerting, told: dict[str, Any]) -> None:
    """Hand the notice to a channel. Raises NotTaken."""
    match channel:
        case "command":
            _command(settings.command, told)
        case "webhook" if settings.webhook is not None:
            _webhook(settings.webhook, told)
        case "email" if settings.email is not None:
            _email(settings.email, told)


def _command(words: tuple[str, ...], told: dict[str, Any]) -> None:
    try:
        done = subprocess.run(
            words,
            input=json.dumps(told, ensure_ascii=False).encode() + b"\n",
            stdout=subprocess.DEVNULL,
            stderr=subprocess.DEVNULL,
            timeout=TIMEOUT,
            check=False,
        )
    except subprocess.TimeoutExpired:
        raise NotTaken(f"{words[0]} did not end within {TIMEOUT:g} s") from None
    except OSError as error:
        raise NotTaken(f"{words[0]} cannot be started: {error.strerror}") from None
    if done.returncode:
        raise NotTaken(f"{words[0]} ended with exit code {done.returncode}")


class _Staying(urllib.request.HTTPRedirectHandler):
    """A redirected POST would go on as a GET without its body."""

    def redirect_request(self, *_: Any, **__: Any) -> None:
        return None


def _webhook(hook: Webhook, told: dict[str, Any]) -> None:
    headers = {name: secret.reveal() for name, secret in hook.headers.items()}
    body = json.dumps(told, ensure_ascii=False).encode()
    request = urllib.request.Request(  # noqa: S310 - http and https only, by the settings
        hook.url, body, {"Content-Type": "application/json", **headers}, method="POST"
    )
    try:
        urllib.request.build_opener(_Staying).open(request, timeout=TIMEOUT).close()
    except urllib.error.HTTPError as error:
        error.close()
        raise NotTaken(f"the webhook answered {error.code}") from None
    except (OSError, ValueError) as error:
        reason = getattr(error, "reason", error)
        raise NotTaken(f"the webhook cannot be reached: {type(reason).__name__}") from None


def _email(mail: Email, told: dict[str, Any]) -> None:
    message = EmailMessage()
    message["From"] = mail.sender
    message["To"] = ", ".join(mail.to)
    message["Date"] = formatdate(localtime=True)
    message["Message-ID"] = make_msgid(domain="tillpost.invalid")
    over = "over: " if told["event"] == "over" else ""
    message["Subject"] = " ".join(f"[{told['pipeline']}] {over}{told['what']}".split())[:200]
    message.set_content("\n\n".join(str(told[key]) for key in ("what", "means", "next_step")) + "\n")
    try:
        with smtplib.SMTP(mail.host, mail.port, timeout=TIMEOUT) as server:
            if mail.tls == "starttls":
                server.starttls(context=ssl.create_default_context())
            if mail.user and mail.password is not None:
                server.login(mail.user, mail.password.reveal())
            server.send_message(message)
    except (smtplib.SMTPException, OSError, ValueError) as error:
        code = f" ({error.smtp_code})" if isinstance(error, smtplib.SMTPResponseException) else ""
        raise NotTaken(f"the mail server {mail.host} did not take it: {type(error).__name__}{code}") from None
