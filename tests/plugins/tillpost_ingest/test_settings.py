"""What is refused before anything listens, and pipelines that share an address."""

from __future__ import annotations

import socket
import threading
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

from tests.support.certificates import certificate
from tests.support.ingest import KEY, ONE, Ingest, free_port
from tillpost.compose.standalone import standalone_hooks
from tillpost.errors import ConfigurationError, TillpostError
from tillpost_ingest import plugin


def build(folder: Path, **settings: Any) -> Any:
    table: Mapping[str, Any] = {"listen": "127.0.0.1:8088"} | settings
    return standalone_hooks("ingest", plugin, {"source": table}, folder=folder)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({"listen": "8088"}, "host:port"),
        ({"listen": "127.0.0.1:0"}, "port from 1"),
        ({"listen": "::1:8088"}, "brackets"),
        ({"listen": "127.0.0.1:٨٠"}, "port from 1"),
        ({"listen": "0.0.0.0:8088"}, "anybody could send"),
        ({"listen": "[::]:8088"}, "anybody could send"),
        ({"listen": "shop.example.com:8088"}, "anybody could send"),
        ({"keys": {"Store 12": KEY}}, "is not a valid sender name"),
        ({"keys": {"a": "short"}}, "16 or more visible"),
        ({"keys": {"a": KEY, "b": KEY}}, "two senders have the same key"),
        ({"secrets": {"a": []}}, "a has none"),
        ({"secrets": {"a": ["whsec_c2hvcnQ="]}}, "is not a signing secret"),
        ({"secrets": {"a": ["MfKQ9r8GKYqrTwjUPD8ILPZIo2LaLaSw"]}}, "is not a signing secret"),
        ({"shopify": {"web": []}}, "web has none"),
        ({"shopify": {"web": ["short"]}}, "each secret of web must be 16 or more visible"),
        ({"zettle": {"The Shop": [KEY]}}, "is not a valid sender name"),
        ({"square": {"shop": [KEY]}}, "square needs url"),
        ({"square": {"shop": [KEY]}, "url": "pos.example.com"}, "the whole address"),
        ({"certificate": "cert.pem"}, "given together"),
        ({"certificate": "cert.pem", "key": "key.pem"}, "cannot be read"),
        ({"timeout": "0s"}, "from 1s to 1h"),
        ({"largest": 1}, ">= 1024"),
    ],
)
def test_wrong_settings_are_findings(tmp_path: Path, settings: dict[str, Any], words: str) -> None:
    with pytest.raises(ConfigurationError, match=words) as caught:
        build(tmp_path, **settings)
    assert KEY not in str(caught.value)
    assert "c2hvcnQ" not in str(caught.value)


@pytest.mark.parametrize("listen", ["127.0.0.1:8088", "[::1]:8088", "localhost:8088", "127.8.8.8:8088"])
def test_without_keys_only_this_machine_is_listened_to(tmp_path: Path, listen: str) -> None:
    build(tmp_path, listen=listen)


@pytest.mark.parametrize("who", [{"shopify": {"web": [KEY]}}, {"zettle": {"shop": []}}])
def test_with_a_vendor_that_signs_every_address_may_be_listened_to(tmp_path: Path, who: dict[str, Any]) -> None:
    build(tmp_path, listen="0.0.0.0:8088", **who)


def test_with_keys_every_address_may_be_listened_to(tmp_path: Path) -> None:
    build(tmp_path, listen="0.0.0.0:8088", keys={"store12": KEY})


def test_an_invalid_certificate_is_a_finding(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path / "one")
    other, _ = certificate(tmp_path / "two")
    address = f"127.0.0.1:{free_port()}"  # the usual one may still be kept by what an earlier test has built
    build(tmp_path, listen=address, certificate=str(pem), key=str(key))
    with pytest.raises(ConfigurationError, match="is not a certificate in PEM form"):
        build(tmp_path, listen=address, certificate=str(other), key=str(key))


def test_pipelines_at_one_address_agree_on_its_tls(tmp_path: Path) -> None:
    pem, key = certificate(tmp_path)
    address = f"127.0.0.1:{free_port()}"
    kept = build(tmp_path, listen=address)
    with pytest.raises(ConfigurationError, match="is used by another pipeline"):
        build(tmp_path, listen=address, certificate=str(pem), key=str(key))
    assert kept is not None


def test_pipelines_share_a_server_that_lives_as_long_as_one_of_them(tmp_path: Path) -> None:
    with Ingest(tmp_path, name="one") as one, Ingest(tmp_path, name="two", port=one.port) as two:
        assert two.send(ONE, path=one.path).status == 202
        assert (one.ids(), two.ids()) == (["1"], [])
        one.stop()
        assert two.send(ONE).status == 202
        assert two.send(ONE, path=one.path).status == 404


def test_an_address_that_is_taken_is_an_error_of_the_system(tmp_path: Path) -> None:
    with socket.create_server(("127.0.0.1", 0)) as taken:
        build_at = f"127.0.0.1:{taken.getsockname()[1]}"
        hooks = build(tmp_path, listen=build_at)
        with pytest.raises(TillpostError, match=r"cannot listen at .*: Address already in use"):
            hooks.serve_documents(lambda document: {}, threading.Event())


def test_without_keys_a_page_in_this_machine_s_browser_cannot_send(tmp_path: Path) -> None:
    with Ingest(tmp_path, "largest = 4096") as ingest:
        assert ingest.send(ONE, X_Api_Key="").status == 202
        refused: list[dict[str, Any]] = [
            {"Origin": "https://evil.example"},
            {"Host": "evil.example:8088"},
            {"Sec_Fetch_Site": "none"},
        ]
        for headers in refused:
            assert ingest.send(ONE, **headers).status == 403
