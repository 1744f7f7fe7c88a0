from __future__ import annotations

import random
from collections.abc import Callable
from datetime import date, datetime, timedelta, timezone
from decimal import Decimal
from pathlib import Path

import pytest

from tillpost.clock import SystemClock
from tillpost.compose.config import Config, load
from tillpost.compose.pipeline import Pipeline, check_pipelines, compose
from tillpost.errors import ConfigurationError, DocumentError, PluginError
from tillpost.flow.rate_limit.budget import Budgets
from tillpost.model import (
    Contact,
    Delivered,
    Document,
    Identified,
    Identifier,
    Line,
    LineKind,
    NoReceipt,
    Payload,
    RawRef,
    Receipt,
    Tender,
)

AMEND = 'amend = [ { use = "trial-amend", word = "a" }, { use = "trial-amend", word = "keep" }, %s ]\nmap  '
OBSERVE = 'observe = [ { use = "trial-amend", word = "raise" }, { use = "trial-amend", word = "ok" } ]\nmap  '
MATCH = Identifier("contactId", "c")
RECEIPT = Receipt(
    id="s_1_2026-01-02_7",
    number="7",
    created=datetime(2026, 1, 2, 12, tzinfo=timezone(timedelta(hours=1))),
    business_date=date(2026, 1, 2),
    store="s",
    till="1",
    currency="SEK",
    total=Decimal(5),
    lines=(Line(kind=LineKind.PURCHASE, sku="x", quantity=Decimal(1), paid=Decimal(5)),),
    tenders=(Tender(type="cash", amount=Decimal(5)),),
    raw=RawRef(sha256="", document="d"),
)


def _composed(file: Path) -> Pipeline:
    config = load(file)
    return _compose(config)


def _compose(config: Config) -> Pipeline:
    return compose(config, config.pipelines[0], clock=SystemClock(), random=random.Random(1), budget=Budgets())


def _customer(kind: str) -> Contact:
    return Contact(key="k", identifiers=(Identifier(kind, "1"),))


def test_the_receipt_walks_through_the_plugins_of_the_file(write: Callable[..., Path]) -> None:
    hooks = _composed(write()).hooks
    seen: list[NoReceipt] = []

    def accept(document: Document) -> dict[str, int]:
        seen.extend(record for record in hooks.parse_receipts(document) if isinstance(record, NoReceipt))
        return {}

    assert hooks.collect_documents(accept) == 1
    assert [(record.reason, record.place) for record in seen] == [("one", "line 1"), ("two", "line 2")]
    payload = hooks.map_receipt(RECEIPT, MATCH)
    assert hooks.amend_payload(payload, RECEIPT) is payload
    assert hooks.deliver(payload) == Delivered(status=201, reason="http://x")
    assert hooks.probe() == Delivered(status=200)
    assert hooks.match_in_file(_customer("externalId")) == Identifier("externalId", "1")
    assert hooks.match_in_file(_customer("email")) is None
    assert hooks.confirm_receipts(_customer("email"), []) is None
    assert hooks.implements("write_files")
    assert not hooks.implements("amend_payload")


def test_resolvers_are_asked_in_the_order_of_the_file(write: Callable[..., Path]) -> None:
    hooks = _composed(write('["memberNumber"]', '["memberNumber", "externalId"]')).hooks
    assert hooks.resolve_contact(_customer("externalId")) == Identified(contact_id="resolver 0")
    assert hooks.resolve_contact(_customer("email")) is None
    hooks = _composed(write()).hooks
    assert hooks.resolve_contact(_customer("externalId")) == Identified(contact_id="resolver 1")
    assert hooks.update_contact(_customer("email"), {"city": "x"}) is None


def test_a_plugin_is_built_once_with_all_its_uses(write: Callable[..., Path]) -> None:
    file = write()
    load(file)
    import trial_plugins  # type: ignore[import-not-found]

    trial_plugins.BUILDS.clear()
    _composed(file)
    assert trial_plugins.BUILDS == ["stores"]


def test_amendments_are_chained_in_order(write: Callable[..., Path]) -> None:
    hooks = _composed(write("map  ", AMEND % '{ use = "trial-amend", word = "b" }')).hooks
    amended = hooks.amend_payload(Payload(receipt_id="r", match=MATCH, fields={}), RECEIPT)
    assert amended.fields["said"] == "a b "


def test_two_equal_uses_are_both_asked(write: Callable[..., Path]) -> None:
    hooks = _composed(write("map  ", AMEND % '{ use = "trial-amend", word = "a" }')).hooks
    amended = hooks.amend_payload(Payload(receipt_id="r", match=MATCH, fields={}), RECEIPT)
    assert amended.fields["said"] == "a a "


def test_an_amendment_keeps_the_receipt_id(write: Callable[..., Path]) -> None:
    hooks = _composed(write("map  ", AMEND % '{ use = "trial-amend", word = "other id" }')).hooks
    with pytest.raises(PluginError, match="'trial-amend': amend_payload changed the receipt id"):
        hooks.amend_payload(Payload(receipt_id="r", match=MATCH, fields={}), RECEIPT)


def test_an_observer_that_raises_is_named_and_stops_nobody(write: Callable[..., Path]) -> None:
    with pytest.raises(PluginError, match="observe raised RuntimeError at ") as failed:
        _composed(write("map  ", OBSERVE)).hooks.observe(0, {"kind": "accepted"})
    assert failed.value.plugin == "trial-amend"


@pytest.mark.parametrize(
    ("answer", "said"),
    [
        ("wrong", "gave a str"),
        ("none", "gave no answer"),
        ("raise", r"parse_receipts raised KeyError at .*\.py:\d+ \(record 2\)$"),
    ],
)
def test_a_plugin_that_breaks_its_contract_is_named(write: Callable[..., Path], answer: str, said: str) -> None:
    hooks = _composed(write('"America/Chicago"', f'"America/Chicago", answer = "{answer}"')).hooks
    with pytest.raises(PluginError, match=f"plugin 'trial-log': .*{said}"):
        list(hooks.parse_receipts(Document.from_bytes("d", b"x\n")))


@pytest.mark.parametrize("error", [RuntimeError("ours"), DocumentError("bad", "d"), OSError("disk")])
def test_what_accept_raises_is_no_fault_of_the_source(write: Callable[..., Path], error: Exception) -> None:
    def accept(document: Document) -> dict[str, int]:
        raise error

    with pytest.raises(type(error)) as caught:
        _composed(write()).hooks.collect_documents(accept)
    assert caught.value is error


@pytest.mark.parametrize(
    ("name", "said"),
    [("trial-misspelt", "unknown hook 'collect_document'"), ("trial-lacking", "source needs the hook collect_doc")],
)
def test_hooks_are_checked_before_the_pipeline_starts(write: Callable[..., Path], name: str, said: str) -> None:
    config = load(write('"trial-folder", path = "inbox", settle = "500ms"', f'"{name}"'))
    with pytest.raises(ConfigurationError) as caught:
        _compose(config)
    (finding,) = caught.value.findings
    assert said in finding.message
    assert (finding.line, finding.key) == (5, "pipelines.stores.source.use")


def test_the_core_takes_its_own_keys_out_of_the_slots(write: Callable[..., Path]) -> None:
    (pipeline,) = load(write()).pipelines
    assert pipeline.source.poll == timedelta(seconds=2)
    assert pipeline.retry.attempts == 3
    assert pipeline.retry.wait_max == timedelta(minutes=5)
    assert pipeline.fallback.after == timedelta(minutes=1)
    assert pipeline.fallback.confirm_within == timedelta(hours=24)


def test_a_state_folder_that_cannot_be_is_found_offline(write: Callable[..., Path]) -> None:
    file = write('"state"', '"tillpost.toml/state"')
    (finding,) = check_pipelines(load(file))
    assert "tillpost.toml is not a directory" in finding.message
    assert (finding.line, finding.key) == (2, "tillpost.state")
