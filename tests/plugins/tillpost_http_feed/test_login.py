"""How the source identifies itself, and the settings it refuses."""

from __future__ import annotations

import base64
from collections.abc import Callable
from pathlib import Path
from typing import Any
from urllib.parse import parse_qsl

import pytest

from tests.support.feed import Asked, Reply, reply
from tillpost import Secret
from tillpost.compose.config import examine
from tillpost.model import Misconfigured, NotSent, Throttled

from .conftest import Shop


def authorization(user: str, password: str) -> str:
    return "Basic " + base64.b64encode(f"{user}:{password}".encode()).decode()


def guarded(tokens: list[str], lasts: Any = 3600) -> Callable[[Asked], Reply]:
    """A feed whose token is the last one that was fetched; tokens: those there are, in order."""
    given: list[str] = []

    def answer(asked: Asked) -> Reply:
        if asked.path == "/token":
            given.append(tokens[len(given)])
            return reply({"access_token": given[-1], "expires_in": lasts, "token_type": "Bearer"})
        fits = bool(given) and asked.headers.get("authorization") == f"Bearer {given[-1]}"
        return reply([{"id": len(given)}]) if fits else reply({}, 401)

    return answer


OAUTH: dict[str, Any] = {
    "token_url": "{url}/token",
    "client_id": "me",
    "client_secret": Secret("s3cret"),
    "scope": "a b",
}


@pytest.mark.parametrize(
    ("settings", "header", "sent"),
    [
        ({"token": Secret("t")}, "authorization", "Bearer t"),
        ({"token": Secret("t"), "token_header": "X-Api-Key"}, "x-api-key", "t"),
        ({"user": "me", "password": Secret("p:w")}, "authorization", authorization("me", "p:w")),
        ({"headers": {"X-Shop": "12"}}, "x-shop", "12"),
    ],
)
def test_each_way_in_is_sent(shop: Callable[..., Shop], settings: Any, header: str, sent: str) -> None:
    till = shop(lambda _: reply([]), **settings)
    assert till.run() == 0
    assert till.feed.asked[0].headers[header] == sent


def test_a_token_is_fetched_once_and_anew_before_it_ends(shop: Callable[..., Shop]) -> None:
    till = shop(guarded(["one", "two"]), **OAUTH)
    for _ in range(3):
        assert till.run(600.0) in (0, 1)
    assert [each.path for each in till.feed.asked].count("/token") == 1
    till.run(2500.0)
    assert [each.path for each in till.feed.asked].count("/token") == 2
    asked = till.feed.asked[0]
    assert dict(parse_qsl(asked.body.decode())) == {"grant_type": "client_credentials", "scope": "a b"}
    assert asked.headers["authorization"] == authorization("me", "s3cret")


def test_the_client_may_be_named_in_the_body(shop: Callable[..., Shop]) -> None:
    till = shop(guarded(["one"]), **OAUTH | {"client_auth": "body"})
    till.run()
    form = dict(parse_qsl(till.feed.asked[0].body.decode()))
    assert (form["client_id"], form["client_secret"]) == ("me", "s3cret")
    assert "authorization" not in till.feed.asked[0].headers


def test_a_token_that_was_withdrawn_is_fetched_anew_once(shop: Callable[..., Shop]) -> None:
    till = shop(guarded(["one", "two", "three"]), **OAUTH)
    till.run()
    till.feed.first = [reply({}, 401)]
    assert till.run() == 1
    assert till.feed.asked[-1].headers["authorization"] == "Bearer two"
    till.feed.first = [reply({}, 401), reply({"access_token": "x", "expires_in": 60})]
    assert isinstance(till.run(), Misconfigured)


@pytest.mark.parametrize("lasts", [-5, 0, None, "soon", True])
def test_a_token_that_says_no_good_end_is_used_for_a_while(shop: Callable[..., Shop], lasts: Any) -> None:
    till = shop(guarded(["one", "two"], lasts), **OAUTH)
    till.run(0.0)
    till.run(1.0)
    assert [each.path for each in till.feed.asked].count("/token") == 1


@pytest.mark.parametrize(
    ("said", "kind", "words"),
    [
        (reply({"error": "invalid_client"}, 401), Misconfigured, "gives no token (401 invalid_client); check"),
        (reply({"error": "invalid_grant"}, 400), Misconfigured, "source.client_id, source.client_secret"),
        (reply({}, 503), NotSent, "answers 503"),
        (reply({}, 429, Retry_After="9"), Throttled, "too many requests"),
        (reply({}, 404), Misconfigured, "check source.token_url"),
        (reply({"token": "x"}), Misconfigured, "answers without access_token"),
        (reply({"access_token": "a\r\nX: y"}), Misconfigured, "answers without access_token"),
        (Reply(b"<html>"), NotSent, "not JSON"),
    ],
)
def test_a_token_that_is_not_given_is_told(shop: Callable[..., Shop], said: Reply, kind: Any, words: str) -> None:
    till = shop(lambda _: said, **OAUTH)
    outcome = till.run()
    assert isinstance(outcome, kind), outcome
    assert words in outcome.reason
    assert "s3cret" not in repr(outcome) + repr(till.source)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ('url = "ftp://a.example"', "url must begin with https://"),
        ('url = "https://u:p@a.example/x"', "url must have no user, password or fragment"),
        ('url = "https://a.example/x?limit=5"', "url must have no query; write it as query ="),
        ('url = "https://a.example", token = "t", user = "u", password = "p"', "only one of them"),
        ('url = "https://a.example", user = "u"', "user needs password"),
        ('url = "https://a.example", token_url = "https://a.example/t"', "token_url needs client_id"),
        ('url = "https://a.example", token_url = "https://a.example/t", client_id = "c"', "client_secret or assertion"),
        ('url = "https://a.example", body = "{}"', "body is sent by POST only"),
        ('url = "https://a.example", method = "POST", body = "[1]"', "body must be a JSON object"),
        ('url = "https://a.example", method = "POST", paging = "link"', "asks by GET"),
        ('url = "https://a.example", paging = "cursor"', "needs next_at and next_to"),
        ('url = "https://a.example", paging = "offset"', "needs next_to"),
        ('url = "https://a.example", since_at = "t"', "since_at and since_to go together"),
        ('url = "https://a.example", start = "2026-01-01"', "start needs since_to"),
        ('url = "https://a.example", start = "yesterday"', "start must be a date or time"),
        ('url = "https://a.example", since_as = "iso"', "since_as must be"),
        ('url = "https://a.example", headers = { Authorization = "x" }', "use token, or user and password"),
        ('url = "https://a.example", headers = { "a b" = "x" }', "is no header"),
    ],
)
def test_settings_that_cannot_be_meant_are_refused(tmp_path: Path, settings: str, words: str) -> None:
    file = tmp_path / "tillpost.toml"
    file.write_text(
        f'[pipelines.shop]\nsource = {{ use = "http-feed", {settings} }}\nadapter = {{ use = "receipts" }}\n'
    )
    _, findings = examine(file)
    assert any(words in f"{each.key.rpartition('.')[2]} {each.message}" for each in findings), findings
