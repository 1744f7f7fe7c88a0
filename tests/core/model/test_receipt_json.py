"""The JSON form: canonical, strict, described by the schema that ships; two parsers that read the same receipt."""

from __future__ import annotations

import hashlib
import json
import subprocess
import sys
from collections.abc import Callable
from decimal import Decimal
from importlib.resources import files
from typing import Any

import attrs
import jsonschema
import pytest
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st

from tillpost import InvalidValue
from tillpost.kit import parse_clean_json, parse_json
from tillpost.model import Customer, Identifier, RawRef, Receipt, receipt_id
from tillpost.model.receipt_difference import difference
from tillpost.model.receipt_json import content_digest, dumps, from_json, load_record, loads, to_json, with_flags
from tillpost_demo.generator import make_day

SCHEMA = json.loads(files("tillpost.model").joinpath("receipt.schema.json").read_text("utf-8"))
VALIDATOR = jsonschema.Draft202012Validator(SCHEMA)
Change = Callable[[dict[str, Any]], object]


@given(data=st.data())
@settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow])
def test_what_is_written_reads_back_to_the_same_and_satisfies_the_schema(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    receipt = data.draw(any_receipt)
    written = dumps(receipt)
    assert loads(written) == receipt
    assert dumps(loads(written)) == written
    VALIDATOR.validate(json.loads(written))


def test_the_schema_is_a_schema() -> None:
    jsonschema.Draft202012Validator.check_schema(SCHEMA)


def test_the_bytes_do_not_depend_on_how_a_decimal_was_written(simple_receipt: Receipt) -> None:
    other = attrs.evolve(simple_receipt, total=Decimal("1.45E+1"))
    assert dumps(other) == dumps(simple_receipt)
    assert to_json(simple_receipt)["total"] == "14.50"
    assert to_json(simple_receipt)["lines"][1] | {"extra": {}} == {
        "kind": "return",
        "sku": "B",
        "quantity": "-1",
        "paid": "-5.50",
        "tax_amount": "0.00",
        "tax_percent": "0",
        "article_number": "",
        "article_name": "",
        "article_group": "",
        "discounts": [],
        "extra": {},
    }


WRONG: list[tuple[Change, str]] = [
    (lambda form: form.update(totl="1"), r"unknown key 'totl'; did you mean 'total'\?"),
    (lambda form: form.pop("store"), "key 'store' is missing"),
    (lambda form: form.update(total=None), "here.total: must be a decimal"),
    (lambda form: form.update(total=True), "here.total: must be a decimal"),
    (
        lambda form: form.update(total="NaN"),
        "store 1: total is out of bounds: a number is finite, below 1e15",
    ),
    (
        lambda form: form.update(total="1e999999"),
        "store 1: total is out of bounds: a number is finite, below 1e15",
    ),
    (
        lambda form: form["lines"][0].update(quantity="1e-999999999"),
        r"here.lines\[0\], line A: quantity is out of.*30 digits behind",
    ),
    (lambda form: form.update(total="14.49"), r"lines sum to 14.50, the receipt's total is 14.49 \(difference 0.01\)"),
    (lambda form: form["tenders"][0].update(amount="21"), "tenders sum to 15.50"),
    (
        lambda form: form["lines"][0].update(kind="gift"),
        r"here.lines\[0\].kind: must be one of .*, and is 'gift'",
    ),
    (lambda form: form["lines"][1].update(paid="5.50"), r"here.lines\[1\], line B: a return of"),
    (lambda form: form.update(lines={}), "here.lines: must be a list"),
    (
        lambda form: form.update(created="2026-01-31T12:00:00"),
        "here.created: the time has no offset: '2026-",
    ),
    (lambda form: form.update(created="noon"), "here.created: not an ISO 8601 time such as .*: 'noon'"),
    (lambda form: form.update(business_date="31/1"), "here.business_date: not an ISO 8601 date such as .*: '31/1'"),
    (lambda form: form.update(store=7), "here.store: must be text"),
    (lambda form: form.update(store="\ud800"), "here.store: text has a lone surrogate"),
    (lambda form: form.update(currency="kr"), "ISO 4217"),
    (
        lambda form: form["customer"]["identifiers"][0].update(kind="phone"),
        r"identifiers\[0\]: unknown identifier kind 'phone'",
    ),
    (lambda form: form.update(raw=[]), "here.raw: must be an object, and is a list"),
    (lambda form: form.update(total="14,50"), "here.total: not a number: '14,50'"),
    (lambda form: form.update(total=[]), "here.total: must be a decimal as text, and is a list"),
    (lambda form: form["lines"][0].pop("sku"), r"here.lines\[0\]: key 'sku' is missing"),
    (lambda form: form["lines"][1].update(skuu="B"), r"here.lines\[1\]: unknown key 'skuu'; did you mean 'sku'\?"),
    (
        lambda form: form["lines"][1].update(extra={"a": "b", "c": 1}),
        r"here.lines\[1\].extra.c: must be text, and is a",
    ),
    (lambda form: form["customer"]["attributes"].update(city=None), "here.customer.attributes.city: must be text"),
    (
        lambda form: form["customer"]["attributes"].update({"a\ud800": ""}),
        r"customer.attributes \(a key\): text has",
    ),
    (lambda form: form.update(customer=7), "here.customer: must be an object or null, and is a number"),
    (lambda form: form.update(lines=[None]), r"here.lines\[0\]: must be an object, and is null"),
]


@pytest.mark.parametrize(("change", "message"), WRONG)
def test_what_is_wrong_is_named_with_its_path(simple_receipt: Receipt, change: Change, message: str) -> None:
    form = to_json(simple_receipt)
    change(form)
    with pytest.raises(InvalidValue, match=message) as raised:
        from_json(form, place="here")
    assert "secret.person" not in str(raised.value)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (b'{"a": 1, "a": 2}', "key 'a' occurs twice"),
        (b'{"a": NaN}', "NaN"),
        (b'{"a": -Infinity}', "-Infinity"),
        (b'{"a": 1.5e400}', "out of bounds"),
        (b"[" * 100_000, "nested too deep"),
        (b"1" * 5000, "too many digits"),
        (b'{"a": "\xe5"}', "byte 8"),
        (b'{"a"', "at character 5"),
    ],
)
def test_json_is_read_strictly(text: bytes, message: str) -> None:
    """What json.loads alone takes: duplicate keys, NaN, 1e400; and its RecursionError on depth."""
    with pytest.raises(InvalidValue, match=message):
        parse_json(text, place="line 3")


def test_id_and_raw_may_be_left_out_when_somebody_gives_them(simple_receipt: Receipt) -> None:
    form = to_json(simple_receipt)
    del form["id"], form["raw"]
    made = from_json(form, place="line 1", make_id=receipt_id, raw=RawRef(sha256="f", document="d"))
    assert made.id == "1_2_2026-01-31_7"
    assert made.raw.sha256 == "f"
    with pytest.raises(InvalidValue, match="is missing"):
        from_json(form, place="line 1")


def test_text_that_is_no_unicode_is_not_written(simple_receipt: Receipt) -> None:
    """A lone surrogate: Python text may hold half a pair, documents and the journal may not."""
    with pytest.raises(InvalidValue, match="surrogate"):
        dumps(attrs.evolve(simple_receipt, till="\udc00"))


def test_the_digest_is_of_the_sale_and_not_of_the_file(simple_receipt: Receipt) -> None:
    elsewhere = attrs.evolve(simple_receipt, raw=RawRef(sha256="1" * 64, document="other"))
    assert content_digest(elsewhere) == content_digest(simple_receipt)
    assert content_digest(attrs.evolve(simple_receipt, flags=("clock-off",))) == content_digest(simple_receipt)
    assert content_digest(attrs.evolve(simple_receipt, till="3")) != content_digest(simple_receipt)


def test_a_difference_names_paths_and_values_and_masks_the_customer(simple_receipt: Receipt) -> None:
    line, back = simple_receipt.lines
    other = attrs.evolve(
        simple_receipt,
        total=Decimal("20.00"),
        lines=(attrs.evolve(line, article_name="Mug"),),
        tenders=(attrs.evolve(simple_receipt.tenders[0], amount=Decimal(20)),),
        customer=Customer(identifiers=(Identifier("email", "another@example.com"),)),
        raw=RawRef(sha256="2", document="other"),
    )
    found = difference(dumps(simple_receipt), dumps(other))
    assert "total: 14.50 → 20.00" in found
    assert "lines[0].article_name:  → Mug" in found
    assert any(path.startswith("lines[1]: {") and path.endswith("→ absent") for path in found)
    assert "customer: differs (customer values are not shown)" in found
    assert not any("example.com" in path or path.startswith("raw") for path in found)
    assert back.paid < 0
    assert difference(dumps(simple_receipt), dumps(simple_receipt)) == []


# --- records of tills: msgspec's parser where it is certain to read what the strict one reads ----------------------

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
    ODD
    | st.none()
    | st.booleans()
    | st.integers(-5, 10**20)
    | st.floats()
    | st.lists(ODD, max_size=1)
    | st.builds(dict)
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
    return load_record(content, raw=RAW, make_id=receipt_id)


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


RECORDS: list[tuple[Callable[[dict[str, Any]], object], bool]] = [
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
@pytest.mark.parametrize(("change", "quick"), RECORDS)
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
def test_a_receipt_has_one_form_however_its_record_was_written(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject
) -> None:
    form = to_json(data.draw(any_receipt))
    for line in form["lines"]:
        line["quantity"] += data.draw(st.sampled_from(["", ".0", "0"])) if "." in line["quantity"] else ""
    for each in (form["customer"] or {"identifiers": []})["identifiers"]:
        each["value"] = f" {each['value'].upper()}"
    form["created"] = form["created"].replace("+00:00", "Z").replace("T", " ")
    content = json.dumps(form, ensure_ascii=False).encode()
    read = quickly(content)
    if read is not None:
        assert dumps(read) == dumps(strictly(content) or read)
        assert dumps(loads(dumps(read))) == dumps(read)


@pytest.mark.parametrize(
    "amount", ["1e15", "1000000000000000.1", f"0.{'0' * 31}1", "Infinity", "NaN", "sNaN", "-1e999999999"]
)
def test_an_amount_out_of_bounds_is_left_to_the_strict_reading_which_refuses_it(
    simple_receipt: Receipt, amount: str
) -> None:
    record = to_json(simple_receipt)
    record["lines"][0]["tax_amount"] = amount
    assert load_record(json.dumps(record).encode(), raw=simple_receipt.raw, make_id=receipt_id) is None
    with pytest.raises(InvalidValue, match="tax_amount"):
        from_json(record, place="record")


def test_bounds_are_checked_again_after_a_quick_reading_well_or_not(simple_receipt: Receipt) -> None:
    record = to_json(simple_receipt)
    for total in (record["total"], "1.23"):
        load_record(json.dumps(record | {"total": total}).encode(), raw=simple_receipt.raw, make_id=receipt_id)
        with pytest.raises(InvalidValue, match="out of bounds"):
            attrs.evolve(simple_receipt.lines[0], tax_percent=Decimal("1e15"))


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


def test_the_bytes_of_a_generated_day_are_those_of_earlier_versions() -> None:
    """Journals hold them with their checksum, and the digest says whether a sale was read before."""
    bodies, digests = hashlib.sha256(), hashlib.sha256()
    for receipt in make_day(7, 300).receipts:
        bodies.update(dumps(receipt))
        digests.update(content_digest(receipt).encode())
        assert dumps(loads(dumps(receipt))) == dumps(receipt)
    assert bodies.hexdigest() == "1ac5f92971f5fed21cdc1ef2b34d5d870311f2a5370d2a51cb5cd7038cf292ea"
    assert digests.hexdigest() == "5459330e6eb5494d8fe98f735d477c1836644b51374006b012bd3da7f6167816"


_AT_ONCE = """
import sys, threading
sys.setswitchinterval(1e-6)
from tillpost.model.receipt_json import loads
content, barrier, read = sys.stdin.buffer.read(), threading.Barrier(16), []
def first():
    barrier.wait()
    read.append(loads(content))
threads = [threading.Thread(target=first) for _ in range(16)]
for thread in threads: thread.start()
for thread in threads: thread.join()
assert len(read) == 16 and all(each == read[0] for each in read), read
"""


def test_threads_that_read_their_first_receipt_at_once_all_get_it(simple_receipt: Receipt) -> None:
    """The senders of a line that starts with a backlog do; three processes of ten were ended by a signal."""
    for _ in range(12):
        done = subprocess.run([sys.executable, "-c", _AT_ONCE], input=dumps(simple_receipt), capture_output=True)
        assert done.returncode == 0, done.stderr.decode()


@given(data=st.data(), flags=st.lists(st.sampled_from(["clock-off", 'a"b', '],"id":', "é"]), unique=True))
@settings(max_examples=60, suppress_health_check=[HealthCheck.too_slow])
def test_flags_are_replaced_in_the_value_and_in_its_bytes(
    any_receipt: st.SearchStrategy[Receipt], data: st.DataObject, flags: list[str]
) -> None:
    names = {'"flags":[': '"flags":[]', 'x"flags': "[", "flags": "[]"}
    drawn = attrs.evolve(data.draw(any_receipt), extra=names)
    for receipt in (drawn, loads(dumps(drawn))):  # without its bytes at hand, and with them
        before, expected = dumps(receipt), attrs.evolve(receipt, flags=tuple(flags))
        flagged = with_flags(receipt, tuple(flags))
        assert flagged == expected
        assert dumps(flagged) == dumps(expected)
        assert dumps(receipt) == before


def test_flags_that_are_no_text_are_refused(simple_receipt: Receipt) -> None:
    with pytest.raises(InvalidValue, match=r"flags\[1\] is an int; it must be text"):
        with_flags(simple_receipt, ("clock-off", 7))  # type: ignore[arg-type]
