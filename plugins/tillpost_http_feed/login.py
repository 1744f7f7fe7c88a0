"""How the source identifies itself: a token, Basic, or a token fetched by OAuth 2.0 (RFC 6749, RFC 7523)."""

from __future__ import annotations

import base64
from collections.abc import Mapping
from urllib.parse import quote_plus, urlencode

import attrs

from tillpost import Clock
from tillpost.model import Misconfigured
from tillpost_http_feed.answers import codes, failure_of, read_json
from tillpost_http_feed.client import Client, Failed
from tillpost_http_feed.settings import Settings

_JWT = "urn:ietf:params:oauth:grant-type:jwt-bearer"
_SHORTEST = 30.0
"""Seconds a fetched token is used at least, whatever the server says: else each page would fetch one."""


@attrs.define
class Login:
    """The token that was fetched is kept in memory until shortly before it ends; it only saves requests."""

    settings: Settings
    clock: Clock
    _token: str = ""
    _until: float = 0.0

    def headers(self, client: Client) -> Mapping[str, str]:
        """The headers of a request. Raises Failed when no token can be fetched."""
        settings = self.settings
        if settings.token is not None:
            value = settings.token.reveal()
            bearer = settings.token_header.lower() == "authorization"
            return {settings.token_header: f"Bearer {value}" if bearer else value}
        if settings.password is not None:
            return {"Authorization": _basic(settings.user, settings.password.reveal())}
        if not settings.token_url:
            return {}
        if not self._token or self.clock.monotonic() >= self._until:
            self._fetch(client)
        return {"Authorization": f"Bearer {self._token}"}

    def renew(self) -> bool:
        """The token is not taken any more: whether another one can be fetched."""
        had, self._token = bool(self._token), ""
        return had

    def _fetch(self, client: Client) -> None:
        settings = self.settings
        form = {"grant_type": "client_credentials"}
        if settings.assertion is not None:
            form = {"grant_type": _JWT, "assertion": settings.assertion.reveal(), "client_id": settings.client_id}
        if settings.scope:
            form["scope"] = settings.scope
        headers = {"Content-Type": "application/x-www-form-urlencoded", "Accept": "application/json"}
        if settings.client_secret is not None:
            secret = settings.client_secret.reveal()
            if settings.client_auth == "basic":
                headers["Authorization"] = _basic(quote_plus(settings.client_id), quote_plus(secret))
            else:
                form |= {"client_id": settings.client_id, "client_secret": secret}
        answer = client.ask("POST", settings.token_url, headers, urlencode(form).encode())
        if answer.status in (400, 401, 403):
            named = next(codes(answer.body), "")
            says = f"{answer.where} gives no token ({' '.join(filter(None, (str(answer.status), named)))})"
            which = "assertion" if settings.assertion is not None else "client_secret"
            reason = f"{says}; check source.client_id, source.{which} and source.scope"
            raise Failed(Misconfigured(reason=reason, status=answer.status))
        if failure := failure_of(answer, self.clock.time(), "source.token_url"):
            raise Failed(failure)
        given = read_json(answer)
        token = given.get("access_token") if isinstance(given, dict) else None
        if not isinstance(token, str) or not token or not token.isascii() or not token.isprintable():
            raise Failed(Misconfigured(reason=f"{answer.where} answers without access_token; check source.token_url"))
        lasts = given.get("expires_in")
        seconds = float(lasts) if isinstance(lasts, int | float) and not isinstance(lasts, bool) else 300.0
        self._token = token
        self._until = self.clock.monotonic() + max(_SHORTEST, seconds - min(60.0, seconds / 10))


def _basic(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()
