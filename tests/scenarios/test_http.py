"""faults.md, section HTTP: what each fault of Engage's side comes to, with the real launcher and the real sandbox.

What the plugin makes of one answer is proved in tests/plugins/tillpost_engage; here a whole line lives through it.
"""

from __future__ import annotations

import json
import signal
import ssl
import subprocess
import time
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address
from pathlib import Path
from typing import Any

import pytest
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.http_proxy import HttpProxy, Reply
from tests.support.receipts import document, receipt_of
from tests.support.shop import Shop, configure, control, saved, settled, stop
from tests.support.waiting import until

pytestmark = pytest.mark.slow


@pytest.fixture
def shop(tmp_path: Path) -> Iterator[Shop]:
    with Shop(tmp_path, own="workers = 2") as opened:
        configure(opened, 'timeout = "5s"', 'timeout = "1s"')
        yield opened


@pytest.fixture
def without_files(shop: Shop) -> Shop:
    """The outages of these tests are too short for files."""
    configure(shop, 'after = "500ms"', 'after = "1h"')
    return shop


def receipts(*numbers: int) -> bytes:
    return document([receipt_of(number, externalId="a") for number in numbers])


def known(shop: Shop) -> None:
    """The contact of `receipts` is known by its id, and remembered: the next request is the receipt itself.

    No history is read for the receipt before, which would meet the fault instead.
    """
    configure(shop, "[pipelines.shop]", '[pipelines.shop]\nverify = "off"')
    shop.put("0.jsonl", receipts(0))
    assert shop.tillpost("run", "--until-idle").returncode == 0


def once(shop: Shop, count: int) -> None:
    """Every receipt is delivered, by API, and Engage has it once."""
    assert shop.status()["delivered"]["api"] == count
    assert (len(saved(shop)), set(saved(shop).values())) == (count, {1})


def events(shop: Shop, number: str) -> list[dict[str, Any]]:
    """What befell a receipt itself, without what befell its contact."""
    (life,) = shop.answers("receipt", "--number", number)
    return [event for event in life["events"] if event["step"] != "resolve"]


def test_no_answer_at_all_ends_at_the_deadline_and_the_receipts_go_by_file(shop: Shop) -> None:
    """Accepted connection, silence: a second each, then the breaker, then files; the API's return ends it."""
    shop.fault(http="hang")
    process = shop.start()
    shop.put("1.jsonl", receipts(1, 2, 3))
    shop.wait_for(lambda stand: stand["counts"]["written"] == 3)
    shop.fault(http="ok")
    stand = shop.wait_for(settled(3))
    stop(process)
    assert stand["delivered"]["file"] == 3
    assert set(saved(shop).values()) == {1}


def test_a_refused_connection_is_not_sent_and_nothing_is_repeated(without_files: Shop) -> None:
    shop = without_files
    shop.fault(http="refuse")
    process = shop.start()
    shop.put("1.jsonl", receipts(1, 2, 3))
    shop.wait_for(lambda stand: stand["state"] == "degraded")
    assert shop.status()["counts"]["uncertain"] == 0
    shop.fault(http="ok")
    shop.wait_for(settled(3))
    stop(process)
    once(shop, 3)
    assert shop.sandbox("stats")["ignored_duplicates"] == 0


@pytest.mark.parametrize("fault", ["reset-after-body", "half"])
def test_a_lost_answer_is_looked_for_and_what_arrived_is_not_sent_again(without_files: Shop, fault: str) -> None:
    """Reset after the body, or half a response: the outcome is unknown, and the history tells it."""
    shop = without_files
    known(shop)
    control(shop, "faults", http=fault, count=1)
    process = shop.start()
    shop.put("1.jsonl", receipts(1))
    shop.wait_for(settled(2))
    stop(process)
    told = [event["what"] for event in events(shop, "1")]
    assert told == ["accepted", "sending", "uncertain", "delivered"]
    once(shop, 2)
    assert shop.sandbox("stats")["ignored_duplicates"] == 0


def test_what_never_arrived_is_repeated_under_the_same_id(without_files: Shop) -> None:
    """The other side of the unknown outcome: silence, and the history does not show it."""
    shop = without_files
    known(shop)
    control(shop, "faults", http="hang", count=1)
    process = shop.start()
    shop.put("1.jsonl", receipts(1))
    shop.wait_for(settled(2))
    stop(process)
    told = [event["what"] for event in events(shop, "1")]
    assert told == ["accepted", "sending", "uncertain", "waiting", "sending", "delivered"]
    once(shop, 2)


def test_500_for_long_is_asked_by_probes_alone_and_condemns_nothing(without_files: Shop) -> None:
    """Ten minutes at Engage's scale; here eight probes, with waits of half a second at most."""
    shop = without_files
    shop.fault(http="500")
    process = shop.start()
    shop.put("1.jsonl", receipts(*range(20)))
    shop.wait_for(lambda stand: stand["state"] == "degraded")
    before, began = requests(shop), time.monotonic()
    until(lambda: requests(shop) >= before + 8, process=process)
    probes, took = requests(shop) - before, time.monotonic() - began
    assert shop.status()["counts"]["held"] == 0
    shop.fault(http="ok")
    shop.wait_for(settled(20))
    stop(process)
    # A wait is half a second at most and is drawn from the whole span; 20 receipts would have made hundreds.
    assert probes <= 8 + 15 * took
    once(shop, 20)


@pytest.mark.parametrize("header", ["1", None, "-5", "soon", "Wed, 21 Oct 2015 07:28:00 GMT"])
def test_429_slows_the_line_and_burns_no_attempt(without_files: Shop, header: str | None) -> None:
    """With Retry-After, without, negative, text and long past: the receipt waits, and counts one attempt at its end."""
    shop = without_files
    known(shop)
    control(shop, "faults", http="429", count=2, retry_after=header)
    process = shop.start()
    shop.put("1.jsonl", receipts(1, 2))
    shop.wait_for(settled(3))
    stop(process)
    assert [row["attempts"] for row in shop.answers("receipts")] == [1, 1, 1]
    assert "degraded" not in [entry["state"] for entry in shop.status()["history"]]
    once(shop, 3)


def test_a_huge_retry_after_waits_an_hour_at_most_and_sigterm_still_ends_it(without_files: Shop) -> None:
    """All threads wait for the budget then; the process ends within its grace period, and nothing is lost."""
    shop = without_files
    known(shop)
    control(shop, "faults", http="429", count=1, retry_after="99999999999")
    process = subprocess.Popen(shop.command("run", "--grace", "2"), env=shop.environment)
    try:
        shop.put("1.jsonl", receipts(1, 2, 3, 4, 5))
        shop.wait_for(lambda stand: stand["counts"]["waiting"] == 1 and sum(stand["counts"].values()) == 6)
        (row,) = [row for row in shop.answers("receipts") if row["state"] == "waiting"]
        hour = datetime.fromisoformat(row["next_attempt_at"]) - datetime.now(UTC)
        assert timedelta(minutes=59) < hour <= timedelta(hours=1)
        process.send_signal(signal.SIGTERM)
        assert process.wait(10) == 1, "calls in flight did not end"
    finally:
        process.kill()
        process.wait()
    again = shop.start()
    shop.wait_for(lambda stand: stand["counts"]["delivered"] == 5)
    stop(again)
    assert set(saved(shop).values()) == {1}


def test_a_rotated_key_pauses_the_line_until_the_key_fits_again(without_files: Shop) -> None:
    """401 by Engage's own key check: no attempt is burnt, and the line goes on by itself."""
    shop = without_files
    control(shop, "settings", api_keys=["another"])
    process = shop.start()
    shop.put("1.jsonl", receipts(1, 2, 3))
    shop.wait_for(lambda stand: stand["state"] == "paused" and sum(stand["counts"].values()) == 3)
    assert {(row["attempts"], row["state"] == "held") for row in shop.answers("receipts")} == {(0, False)}
    control(shop, "settings", api_keys=["scenario-key"])
    shop.wait_for(settled(3))
    stop(process)
    once(shop, 3)


@pytest.mark.parametrize("status", [403, 404])
def test_a_403_or_a_wrong_address_pauses_the_line_and_keeps_the_order(without_files: Shop, status: int) -> None:
    """403 after a key rotation, 404 from a wrong base URL: it is the configuration, never the receipt."""
    shop = without_files
    configure(shop, "workers = 2", "workers = 1")
    url = shop.ready["url"]
    with HttpProxy(url, lambda *_: Reply(403) if status == 403 else None) as front:
        wrong = front.url if status == 403 else f"{front.url}/elsewhere"
        configure(shop, url, wrong)
        process = shop.start()
        shop.put("1.jsonl", receipts(*range(8)))
        shop.wait_for(lambda stand: stand["state"] == "paused" and sum(stand["counts"].values()) == 8)
        assert {(row["attempts"], row["state"] == "held") for row in shop.answers("receipts")} == {(0, False)}
        assert "transport." in shop.status()["reason"], "the setting to look at"
        stop(process)
        configure(shop, wrong, url)
    assert shop.tillpost("run", "--until-idle").returncode == 0
    once(shop, 8)
    there = sorted(shop.sandbox("receipts"), key=lambda row: row["receivedAt"])
    assert [row["receiptNumber"] for row in there] == [str(number) for number in range(8)]


def test_400_for_one_receipt_holds_it_with_the_reason_and_the_others_go_on(without_files: Shop) -> None:
    shop = without_files
    url = shop.ready["url"]

    def refuse(method: str, path: str, body: bytes) -> Reply | None:
        wrong = method == "POST" and json.loads(body or b"{}").get("receiptNumber") == "2"
        told = b'{"errorCode": "InvalidReceipt", "errors": [{"field": "totalGrossPrice"}]}'
        return Reply(400, (("Content-Type", "application/json"),), told) if wrong else None

    with HttpProxy(url, refuse) as front:
        configure(shop, url, front.url)
        shop.put("1.jsonl", receipts(1, 2, 3))
        assert shop.tillpost("run", "--until-idle").returncode == 1
    once(shop, 2)
    (held,) = shop.answers("held", "list")
    assert (held["number"], held["reason"]) == ("2", "answered 400 InvalidReceipt (totalGrossPrice)")


def test_a_301_to_another_host_is_never_followed(without_files: Shop) -> None:
    """The apikey header would go along. The other host sees nothing, and the line pauses."""
    shop = without_files
    url = shop.ready["url"]
    with HttpProxy(url) as other, HttpProxy(url, lambda *_: Reply(301, (("Location", f"{other.url}/x"),))) as front:
        configure(shop, url, front.url)
        process = shop.start()
        shop.put("1.jsonl", receipts(1))
        stand = shop.wait_for(lambda stand: stand["state"] == "paused" and stand["counts"]["waiting"] == 1)
        stop(process)
        assert front.seen
        assert other.seen == []
    assert "not followed" in stand["reason"]


def test_a_slow_drip_is_bounded_by_the_deadline(without_files: Shop) -> None:
    """A byte every 0.2 s keeps each read alive; the whole exchange has one second. What arrived is found."""
    shop = without_files
    known(shop)
    control(shop, "faults", http="slow", drip=0.2, count=1)
    process = shop.start()
    shop.put("1.jsonl", receipts(1))
    shop.wait_for(settled(2))
    stop(process)
    life = events(shop, "1")
    at = {event["what"]: datetime.fromisoformat(event["at"]) for event in life}
    assert [event["what"] for event in life] == ["accepted", "sending", "uncertain", "delivered"]
    assert timedelta(seconds=0.9) < at["uncertain"] - at["sending"] < timedelta(seconds=20)
    once(shop, 2)


def test_when_dns_is_gone_receipts_wait_in_files_and_arrive(shop: Shop) -> None:
    """Nothing is sent and nothing condemned. The name that is found is another address, so another tenant: what was
    written for the one before goes to it by API.
    """
    url = shop.ready["url"]
    configure(shop, url, "http://engage.invalid")
    process = shop.start()
    shop.put("1.jsonl", receipts(1, 2))
    stand = shop.wait_for(lambda stand: stand["counts"]["written"] == 2)
    stop(process)
    assert "host name not found: engage.invalid" in "".join(entry["reason"] for entry in stand["history"])
    configure(shop, "http://engage.invalid", url)
    assert shop.tillpost("run", "--until-idle").returncode == 0
    assert shop.status()["counts"]["delivered"] == 2
    assert (len(saved(shop)), set(saved(shop).values())) == (2, {1})


def test_an_expired_certificate_gets_no_request_and_costs_no_receipt(without_files: Shop, tmp_path: Path) -> None:
    """The same authority, trusted; a valid certificate of it lets the line go on, so it was the date alone."""
    shop = without_files
    url = shop.ready["url"]
    authority = Authority(tmp_path / "ca.pem")
    shop.environment["SSL_CERT_FILE"] = str(tmp_path / "ca.pem")
    with HttpProxy(url, tls=authority.server(tmp_path, days=-1)) as expired:
        configure(shop, url, expired.url)
        process = shop.start()
        shop.put("1.jsonl", receipts(1, 2))
        stand = shop.wait_for(lambda stand: stand["state"] == "degraded")
        stop(process)
        assert expired.seen == []
        assert "certificate has expired" in stand["reason"]
        assert stand["counts"]["held"] + stand["counts"]["uncertain"] == 0
    with HttpProxy(url, tls=authority.server(tmp_path, days=1)) as valid:
        configure(shop, expired.url, valid.url)
        assert shop.tillpost("run", "--until-idle").returncode == 0
        assert valid.seen
    once(shop, 2)


def test_after_the_outage_there_is_no_stampede(tmp_path: Path) -> None:
    """Eighty receipts have waited for the same moment; the rate budget of 20 a second holds."""
    with Shop(tmp_path, rate=20, own="workers = 8") as shop:
        configure(shop, 'after = "500ms"', 'after = "1h"')
        shop.fault(http="refuse")
        process = shop.start()
        shop.put("1.jsonl", receipts(*range(80)))
        shop.wait_for(lambda stand: stand["state"] == "degraded" and sum(stand["counts"].values()) == 80)
        shop.fault(http="ok")
        shop.wait_for(settled(80))
        stop(process)
        once(shop, 80)
        # The law itself is tested with an injected clock (tests/core/flow/rate_limit/test_budget.py). Arrivals on a
        # busy machine
        # bunch by a few; a stampede would be all eighty.
        assert shop.sandbox("stats")["peak_rate"] <= 40


def requests(shop: Shop) -> int:
    return sum(sum(by_status.values()) for by_status in shop.sandbox("stats")["requests"].values())


class Authority:
    """Signs certificates for localhost; its own is written to a file, to be trusted."""

    def __init__(self, path: Path) -> None:
        self._key = ec.generate_private_key(ec.SECP256R1())
        self._name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "scenario authority")])
        builder = self._of(self._name, self._key, days=2).add_extension(x509.BasicConstraints(True, None), True)
        usage = x509.KeyUsage(False, False, False, False, False, True, True, False, False)
        own = builder.add_extension(usage, True).sign(self._key, hashes.SHA256())
        path.write_bytes(own.public_bytes(serialization.Encoding.PEM))

    def server(self, folder: Path, days: int) -> ssl.SSLContext:
        """A server's context whose certificate ends so many days from now; negative: it has expired."""
        key = ec.generate_private_key(ec.SECP256R1())
        subject = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "localhost")])
        names = x509.SubjectAlternativeName([x509.DNSName("localhost"), x509.IPAddress(ip_address("127.0.0.1"))])
        issuer = x509.AuthorityKeyIdentifier.from_issuer_public_key(self._key.public_key())
        builder = self._of(subject, key, days).add_extension(names, False).add_extension(issuer, False)
        signed = builder.sign(self._key, hashes.SHA256())
        path = folder / f"server{days}.pem"
        private = key.private_bytes(
            serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption()
        )
        path.write_bytes(signed.public_bytes(serialization.Encoding.PEM) + private)
        context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
        context.load_cert_chain(path)
        return context

    def _of(self, subject: x509.Name, key: ec.EllipticCurvePrivateKey, days: int) -> x509.CertificateBuilder:
        now = datetime.now(UTC)
        return (
            x509.CertificateBuilder()
            .subject_name(subject)
            .issuer_name(self._name)
            .public_key(key.public_key())
            .serial_number(x509.random_serial_number())
            .not_valid_before(now - timedelta(days=30))
            .not_valid_after(now + timedelta(days=days))
            .add_extension(x509.SubjectKeyIdentifier.from_public_key(key.public_key()), False)
        )
