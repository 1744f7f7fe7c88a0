"""The quick reading and the strict one: what the quick one takes, the strict one reads to the same receipt."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from typing import Any

import attrs
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tillpost.errors import InvalidValue
from tillpost.kit import parse_clean_json
from tillpost.model import RawRef, Receipt, receipt_id
from tillpost.model.receipt_json import content_digest, dumps, from_json, plain_record, to_json

RAW = RawRef(sha256="f" * 64, document="day.jsonl", place="line 3")
SLOW = [HealthCheck.too_slow, HealthCheck.data_too_large]
ODD = st.sampled_from(
    [
        *("", " ", "1", "-0", "1e3", " 12.50 ", "0.10", "+1", "1_0", "NaN", "1e999", "9" * 40, "٣", "2026-10-01", "a"),
        *("2026-10-01T10:00:00.1234567+01:00", "2026-10-01T10:00:00Z", "20261001T100000+0100", "SEK", "purchase"),
        *("email", "\x0b", '"', "\\", '\\"', "\ufffe", "\U0001f600", "å", "\n", "\u2028", "\ud800"),
    ]
)
VALUE: st.SearchStrategy[Any] = (
    ODD | st.none() | st.booleans() | st.integers(-5, 10**20) | st.floats() | st.lists(ODD, max_size=1) | st.just({})
)


def strictly(content: bytes) -> Receipt | None:
    """As the adapter `receipts` reads what is unusual; None: held, or its text had to be cleaned."""
    try:
        form, taken = parse_clean_json(content, place="here")
        receipt = from_json(form, place="here", make_id=receipt_id, raw=RAW)
    except (InvalidValue, RecursionError):
        return None
    return None if taken else receipt


def quickly(content: bytes) -> Receipt | None:
    return plain_record(content, raw=RAW, make_id=receipt_id)


def nodes(value: Any) -> list[Any]:
    """Every object and list in it."""
    inner = value.values() if isinstance(value, dict) else value if isinstance(value, list) else ()
    own = [value] if isinstance(value, dict | list) else []
    return own + [node for each in inner for node in nodes(each)]


@given(data=st.data(), changes=st.integers(0, 3), ascii_only=st.booleans(), indent=st.sampled_from([None, 1]))
@settings(max_examples=300, deadline=None, suppress_health_check=SLOW)
def test_the_quick_reading_takes_nothing_that_the_strict_one_reads_otherwise(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject, changes: int, ascii_only: bool, indent: int | None
) -> None:
    form = to_json(data.draw(any_receipt))
    for _ in range(changes):
        node = data.draw(st.sampled_from(nodes(form)))
        if isinstance(node, list):
            node.append(data.draw(VALUE))
            continue
        name = data.draw(st.sampled_from([*node, "unknown"]))
        if data.draw(st.booleans()):
            node.pop(name, None)
        else:
            node[name] = data.draw(VALUE)
    text = json.dumps(form, ensure_ascii=ascii_only, indent=indent)
    content = text.encode("utf-8", "surrogatepass")
    read = quickly(content)
    assert read is None or (read == strictly(content) and dumps(read) == dumps(strictly(content) or read))
    if not changes and strictly(content) is not None and b"\\" not in content:
        assert read is not None, "what we write ourselves is read quickly"


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_a_key_that_stands_twice_is_never_overlooked(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    """msgspec takes the last of the two without a word."""
    content = dumps(data.draw(any_receipt))
    at = data.draw(st.sampled_from([place for place in range(len(content)) if content[place : place + 2] == b'{"']))
    key = content[at + 1 : content.index(b'":', at) + 2]
    name, value = (json.dumps(data.draw(st.text(max_size=5))) for _ in range(2))
    for first in (key + b'"",', key + value.encode() + b",", key + b"null,", b'"kind":"","kind":"",'):
        assert quickly(content[: at + 1] + first + content[at + 1 :]) is None
    for doubled in (f"{name}:{value},{name}:{value}".encode("utf-8", "surrogatepass"),):
        extra = content.replace(b'"extra":{}', b'"extra":{' + doubled + b"}")
        assert extra == content or quickly(extra) is None


TOLD: list[tuple[Callable[[dict[str, Any]], object], bool]] = [
    (lambda form: None, True),
    (
        lambda form: [form.pop(name) for name in ("id", "raw", "taxes", "vouchers", "promotions", "flags", "extra")],
        True,
    ),
    (lambda form: form["lines"][0].pop("article_name"), True),
    (lambda form: form.update(customer=None), True),
    (lambda form: form.pop("customer"), True),
    (lambda form: form["lines"][0].update(article_name='12" frame, 10 x 15'), True),
    (lambda form: form["lines"][0].update(article_name="two\nlines\tand a tab"), True),
    (lambda form: form["lines"][0].update(article_name="back\\slash"), False),
    (lambda form: form["lines"][0].update(article_name="\x0b"), False),
    (lambda form: form["lines"][0].update(article_name="\ufffe"), False),
    (lambda form: form["lines"][0].update(article_name="\ufffd"), True),
    (lambda form: form["lines"][0].update(quantity=2), False),
    (lambda form: form.update(total=14.5), False),
    (lambda form: form.update(total="14.49"), False),
    (lambda form: form.update(totl="14.49"), False),
    (lambda form: form.update(created="2026-01-31T12:00:00"), False),
    (lambda form: form.update(raw=None), False),
]


@pytest.mark.parametrize("ascii_only", [True, False])
@pytest.mark.parametrize(("change", "quick"), TOLD)
def test_what_is_usual_is_read_quickly_and_the_rest_left_to_the_strict_reading(
    simple_receipt: Receipt, change: Callable[[dict[str, Any]], object], quick: bool, ascii_only: bool
) -> None:
    form = to_json(simple_receipt)
    change(form)
    content = json.dumps(form, ensure_ascii=ascii_only).encode()
    read = quickly(content)
    assert (read is not None) is quick
    assert read is None or read == strictly(content)


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_what_is_remembered_from_reading_is_what_would_be_written(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    form = to_json(data.draw(any_receipt))
    for line in form["lines"]:
        line["quantity"] += data.draw(st.sampled_from(["", ".0", "0"])) if "." in line["quantity"] else ""
    for each in (form["customer"] or {"identifiers": []})["identifiers"]:
        each["value"] = f" {each['value'].upper()}"
    form["created"] = form["created"].replace("+00:00", "Z").replace("T", " ")
    read = quickly(json.dumps(form, ensure_ascii=False).encode())
    if read is not None:
        assert read.written is not None
        again = attrs.evolve(read)
        assert again == read
        assert again.written is None, "another value, other bytes"
        assert dumps(again) == read.written


def test_what_is_read_quickly_is_as_frozen_as_what_is_made(simple_receipt: Receipt) -> None:
    form = to_json(simple_receipt)
    form["lines"][0]["extra"] = form["tenders"][0]["extra"] = form["extra"] = {"a": "b"}
    form["customer"]["attributes"]["city"] = ""
    read = quickly(json.dumps(form).encode())
    assert read is not None
    assert read.customer is not None
    assert read.customer.attributes == {}, "an empty value is never kept"
    extras = [read.extra, read.lines[0].extra, read.lines[1].extra, read.tenders[0].extra, read.customer.attributes]
    for pairs in extras:
        with pytest.raises(TypeError):
            pairs["a"] = "c"  # type: ignore[index]
    with pytest.raises(attrs.exceptions.FrozenInstanceError):
        read.lines[0].sku = "other"  # type: ignore[misc]
    assert isinstance(read.lines, tuple)
    assert hash(read) == hash(strictly(json.dumps(form).encode()))


@given(data=st.data())
@settings(max_examples=100, deadline=None, suppress_health_check=SLOW)
def test_the_canonical_bytes_are_those_of_the_standard_library(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    """Journals of every version hold them, with their checksum, and compare by them."""
    receipt = data.draw(any_receipt)
    form = to_json(receipt)
    standard = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":"))
    assert dumps(receipt) == standard.encode(form).encode()
    del form["raw"], form["flags"]
    assert content_digest(receipt) == hashlib.sha256(standard.encode(form).encode()).hexdigest()


@given(text=st.text(st.characters(exclude_categories=[]), max_size=8))
@example("\ud800")
@example("\x7f\x00\x1f\u2028\uffff\U0010ffff")
@settings(deadline=None)
def test_any_text_is_written_as_the_standard_library_writes_it_or_refused(simple_receipt: Receipt, text: str) -> None:
    receipt = attrs.evolve(simple_receipt, till=text, extra={text: text, "z": "1", "\uffff": "2", "\U00010000": "3"})
    standard = json.JSONEncoder(sort_keys=True, ensure_ascii=False, separators=(",", ":")).encode(to_json(receipt))
    try:
        expected = standard.encode()
    except UnicodeEncodeError:
        with pytest.raises(InvalidValue, match="surrogate"):
            dumps(receipt)
        return
    assert dumps(receipt) == expected


def test_the_bytes_of_a_receipt_are_these(simple_receipt: Receipt) -> None:
    """Written out once, so that no two changes can cancel out."""
    written = dumps(simple_receipt)
    assert hashlib.sha256(written).hexdigest() == "52c15decdd2105142c1f9702a5ffe3399ca1e171aaa30361ed6ebccd0b2eae0b"
    assert content_digest(simple_receipt) == "2fa1325f7d68e2ab7f426bb65069600413cf46d9865c2ff113261c8cefb7cca8"
    assert written.startswith(
        b'{"business_date":"2026-01-31","created":"2026-01-31T12:00:00+00:00","currency":"SEK","customer":{"attributes":'
        b'{"city":"Lund"},"identifiers":[{"kind":"email","value":"secret.person@example.com"}]},"extra":{},"flags":[],'
        b'"id":"1_2_2026-01-31_7","lines":[{"article_group":"","article_name":"","article_number":"","discounts":[],'
    )


_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from tillpost.model.receipt_plain import plain_body
content, barrier, read = sys.stdin.buffer.read(), threading.Barrier(16), []
def first():
    barrier.wait()
    read.append(plain_body(content))
threads = [threading.Thread(target=first) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(read) == 16 and all(each == read[0] is not None for each in read), read
"""


def test_threads_that_read_their_first_receipt_at_once_all_get_it(simple_receipt: Receipt) -> None:
    """The senders of a line that starts with a backlog do; three processes of ten were ended by a signal."""
    for _ in range(12):
        done = subprocess.run([sys.executable, "-c", _AT_ONCE], input=dumps(simple_receipt), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()
