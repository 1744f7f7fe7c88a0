"""JSON of tills: cut into records that keep their bytes, read strictly, members by type."""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from tillpost import DocumentError, InvalidValue
from tillpost.kit import JsonObject, JsonRecord, clean, json_records, parse_clean_json, parse_json
from tillpost.model import Document


def records(content: bytes, largest: int = 10**6, lists: tuple[str, ...] = ("orders",)) -> Iterator[JsonRecord]:
    return json_records(Document.from_bytes("d.json", content), largest=largest, lists=lists)


def read(content: bytes, **given: Any) -> list[tuple[bytes, str]]:
    return [(record.content, record.place) for record in records(content, **given)]


SHAPES = [
    pytest.param(b'{"a": 1}\n\n{"a": 2}\n', ["line 1", "line 3"], id="lines"),
    pytest.param(b'[{"a": 1},\n{"a": 2}]', ["line 1", "line 2"], id="array"),
    pytest.param(b'{\n "orders": [\n  {"a": 1},\n  {"a": 2}\n ]\n}\n', ["line 3", "line 4"], id="wrapper"),
    pytest.param(
        b'{"n": "orders", "orders": [{"a": 1}, {"a": 2}]}', ["line 1, record 1", "line 1, record 2"], id="one"
    ),
    pytest.param(b'\xef\xbb\xbf{"a": 1}\r\n{"a": 2}', ["line 1", "line 2"], id="bom"),
    pytest.param(b'\xef\xbb\xbf{"a": 1}\n\xef\xbb\xbf{"a": 2}', ["line 1", "line 2"], id="files joined"),
    pytest.param(b'{"orders": [{"a": 1},\n{"a": 2}],\n"next": null}', ["line 1", "line 2"], id="element a line"),
]


@pytest.mark.parametrize(("content", "places"), SHAPES)
def test_records_keep_their_bytes_and_their_line(content: bytes, places: list[str]) -> None:
    assert read(content) == list(zip([b'{"a": 1}', b'{"a": 2}'], places, strict=True))


def test_an_object_over_many_lines_is_one_record() -> None:
    content = json.dumps({"order": {"id": 1, "orders": "none"}}, indent=2).encode()
    assert read(content + b"\n") == [(content, "line 1")]


@pytest.mark.parametrize(
    "content", [b"", b" \n\n", b"\xef\xbb\xbf", b'{"orders": []}', b" [ ] ", b"[\n]", b'{"orders": []}\n{"orders": []}']
)
def test_case_01_a_document_without_a_record_is_refused(content: bytes) -> None:
    with pytest.raises(DocumentError, match=r"d\.json: has no record: it is empty, or its list has no elements"):
        read(content)


A, B = b'{"a": 1}', b'{"a": 2}'


@pytest.mark.parametrize(
    "content",
    [
        b'{"orders": [{"orders": [%s]}, %s]}',
        b'[{"orders": [%s]}, {"orders": [%s]}]',  # pages, joined
        b'{"orders": [[%s], [[%s]]]}',
        b"[[%s], [%s]]",
        b'{"orders": [%s]}\n[%s]',
        b'{"orders": [[%s]]}\n[{"orders": [%s]}]',
        b'{"next": 1,\n"orders": [{"orders": [%s]},\n%s]}',
    ],
)
def test_lists_in_lists_are_read_as_their_elements(content: bytes) -> None:
    assert [content for content, _ in read(content % (A, B))] == [A, B]


def test_an_empty_list_among_records_is_one_itself() -> None:
    """Else it would be in no outcome."""
    assert [content for content, _ in read(A + b"\n[]\n" + B)] == [A, b"[]", B]
    assert [content for content, _ in read(b'[%s, [], {"orders": []}]' % A)] == [A, b"[]", b'{"orders": []}']


def test_an_object_that_has_its_list_twice_is_one_record() -> None:
    twice = b'{"orders": [{"a": 1}], "orders": [{"a": 2}]}'
    assert [content for content, _ in read(b"[%s]" % twice)] == [twice]


def test_lists_nested_deeper_than_pages_of_pages_are_refused() -> None:
    content = b"[" * 40 + A + b"]" * 40
    with pytest.raises(DocumentError, match="more than 16 lists in each other"):
        read(content)
    assert [record for record, _ in read(A + b"\n" + content)] == [A, content]


@pytest.mark.parametrize("end", [b"{", b"[", b",", b":", b" {", b', "b":'])
def test_a_line_with_something_behind_it_is_one_record_alone_as_among_others(end: bytes) -> None:
    assert [content for content, _ in read(A + end)] == [A + end]
    assert [content for content, _ in read(B + b"\n" + A + end)] == [B, A + end]


@given(
    st.lists(
        st.recursive(
            st.sampled_from([A, B, b"{", b"7", b'{"orders": 1}', b"[]", b'{"orders": []}']),
            lambda inner: st.lists(inner, min_size=1, max_size=3).flatmap(
                lambda parts: st.sampled_from([b"[", b'{"orders": [']).map(
                    lambda start: start + b", ".join(parts) + (b"]" if start == b"[" else b"]}")
                )
            ),
            max_leaves=6,
        ),
        min_size=1,
        max_size=3,
    )
)
@example([A, b"{"])
def test_a_record_is_cut_alone_as_in_its_document(lines: list[bytes]) -> None:
    """What a held record is read again by."""
    try:
        cut = [content for content, _ in read(b"\n".join(lines))]
    except DocumentError:
        return
    for content in cut:
        if content == b"{":
            assert _alone(content) is None, "a document that is cut in its only line is refused"
        elif content.startswith(b"{") and b"orders" not in content:
            assert [again for again, _ in read(content)] == [content]
        elif (alone := _alone(content)) is not None:
            assert alone in ([], [content])


def _alone(content: bytes) -> list[bytes] | None:
    try:
        return [again for again, _ in read(content)]
    except DocumentError:
        return None


def test_a_list_without_elements_beside_others_is_no_fault() -> None:
    assert [place for _, place in read(b'{"orders": []}\n{"orders": [{"a": 1}]}')] == ["line 2, record 1"]


values = st.recursive(
    st.none() | st.booleans() | st.integers() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(), inner, max_size=3),
    max_leaves=8,
)


@given(st.lists(st.dictionaries(st.text(), values, max_size=3), max_size=4), st.sampled_from([None, 1]), st.booleans())
def test_every_way_to_write_a_list_gives_its_elements(given: list[Any], indent: int | None, ascii_only: bool) -> None:
    listed = [element for element in given if "orders" not in element]
    wrapped = {"first": {"orders": 7}, "orders": listed, "last": []}
    for form in (listed, wrapped):
        content = json.dumps(form, indent=indent, ensure_ascii=ascii_only).encode("utf-8", "replace")
        if not listed:
            with pytest.raises(DocumentError, match="has no record"):
                read(content)
            continue
        found = [parse_json(record.content, place="here") for record in records(content)]
        assert found == json.loads(content.decode())["orders" if form is wrapped else slice(None)]


@pytest.mark.parametrize("end", ["", ",", ", {", ', "', "} 9", ' "x"'])
def test_what_stood_before_a_fault_is_kept(end: str) -> None:
    for start in ('{\n"orders": [\n{"a": 1}', '[\n{"a": 1}'):
        given = records((start + end).encode())
        assert next(given).content == b'{"a": 1}'
        with pytest.raises(DocumentError, match=r"d.json, line \d: .*what is before it is accepted"):
            next(given)
    first, rest = read(b'{"orders": [{"a": 1}' + end.encode() + b" ...")
    assert first == (b'{"a": 1}', "line 1, record 1")
    assert rest == ((end + " ...").encode(), "line 1, after record 1")


def test_a_line_that_is_not_json_leaves_the_other_lines() -> None:
    bad = [b'{"orders": [', b"\xe5 orders", b'{"orders": [1], "orders": [2]}', b"[" * 50_000, b'{"orders"}']
    for line in bad[1:]:
        found = [content for content, _ in read(b'{"a": 1}\n' + line + b'\n{"a": 2}')]
        assert found[0] == b'{"a": 1}'
        assert found[-1] == b'{"a": 2}'
        assert b"".join(found[1:-1]) in line or line == bad[2]
        with pytest.raises(InvalidValue):
            parse_json(found[-2], place="here")


@pytest.mark.parametrize(
    ("content", "reason"),
    [
        ('{"a": 1}'.encode("utf-16"), "UTF-16"),
        ('{"a": 1}'.encode("utf-16-le"), "UTF-16"),
        ('[{"å": 1}]'.encode("latin-1"), "byte 4 is not UTF-8"),
        (b"[" * 50_000, "nested too deep"),
        (b'{"a": "' + b"x" * 100 + b'"}', "larger than 50 bytes"),
        (b'{\n"a": "' + b"x" * 100 + b'"}', "more than 50 bytes"),
        (b'{\n"a": 1}\n{"a": 2}', "there is text after"),
        (b'{\n"a": 1,\n"a": 2}', "a key is repeated"),
        (b'{"a": 1}\n \x1f\x8b\x08\x00\n{"a": 2}', "line 2: begins a gzip file, which is no JSON"),
    ],
)
def test_what_no_record_can_be_cut_from_is_a_document_error(content: bytes, reason: str) -> None:
    with pytest.raises(DocumentError, match=reason):
        read(content, largest=50 if "50 bytes" in reason else 10**6)


def test_control_characters_do_not_lose_a_record() -> None:
    content = b'{"name": "Mi\x0blk", "more": ["\\ud800\\ufffe"], "tab": "\\t"}'
    assert parse_clean_json(content, place="here") == ({"name": "Milk", "more": [""], "tab": "\t"}, 3)


@given(st.dictionaries(st.text(max_size=3), st.text(st.characters(), max_size=5)), st.booleans())
def test_no_character_to_clean_passes_unseen(form: dict[str, str], ascii_only: bool) -> None:
    content = json.dumps(form, ensure_ascii=ascii_only).encode("utf-8", "replace")
    try:
        expected = clean(parse_json(content, place="here"))
    except InvalidValue:
        with pytest.raises(InvalidValue, match="here: two keys differ by characters that no text may have"):
            parse_clean_json(content, place="here")
        return
    assert parse_clean_json(content, place="here") == expected
    json.dumps(expected[0], ensure_ascii=False).encode()


def test_s1_a_key_is_cleaned_as_its_value_is() -> None:
    content = b'{"na\\ud800me": "Milk", "more": [{"\\u0000": {"\x01a": 1}}]}'
    assert parse_clean_json(content, place="here") == ({"name": "Milk", "more": [{"": {"a": 1}}]}, 3)
    with pytest.raises(InvalidValue, match="here: two keys differ by characters that no text may have"):
        parse_clean_json(b'{"total": "1.00", "total\\ud800": "9.00"}', place="here")


@pytest.mark.parametrize(
    "number", ["1e1000000", "-1e1000000", "1e-1000000", "0e1000000", "1e999999999999999999", "1E+99999999999999999999"]
)
def test_case_29_the_exponent_is_judged_before_any_arithmetic(number: str) -> None:
    with pytest.raises(InvalidValue, match=r"here: (out of bounds|not a number)"):
        parse_json(f'{{"total": {number}}}', place="here")
    told = JsonObject({"total": number}, "here")
    with pytest.raises(InvalidValue, match=r"here\.total: (out of bounds|not a number)"):
        told.decimal("total")


GIVEN = JsonObject.of(
    parse_json(
        '{"id": 7, "name": " A  b ", "off": null, "on": true, "price": 1.50, "list": [{}], "empty": ""}', place="j"
    ),
    "order",
)


def test_members_by_type() -> None:
    assert (GIVEN.text("id"), GIVEN.text("name"), GIVEN.text("off", "-")) == ("7", "A b", "-")
    assert GIVEN.decimal("price") == Decimal("1.50")
    assert GIVEN.decimal("empty", Decimal(3)) == GIVEN.decimal("off", Decimal(3)) == 3
    assert (GIVEN.boolean("on"), GIVEN.boolean("off")) == (True, False)
    assert (GIVEN.object("off"), GIVEN.objects("off")) == (None, [])
    assert GIVEN.objects("list")[0].place == "order.list[0]"


@pytest.mark.parametrize(
    ("ask", "reason"),
    [
        (lambda: GIVEN.text("none"), r"order: key 'none' is missing"),
        (lambda: GIVEN.text("on"), "order.on: must be text"),
        (lambda: GIVEN.decimal("name"), "order.name: not a number"),
        (lambda: GIVEN.decimal("on"), "order.on: must be a decimal"),
        (lambda: GIVEN.decimal("empty"), "key 'empty' is missing"),
        (lambda: GIVEN.boolean("id"), "order.id: must be true or false"),
        (lambda: GIVEN.object("list"), "order.list: must be an object"),
        (lambda: GIVEN.objects("name"), "order.name: must be a list"),
        (lambda: JsonObject.of(7, "it"), "it: must be an object"),
        (lambda: JsonObject({"a": 10**4000}, "it").text("a"), "it.a: a number has more than 30 digits"),
        (lambda: JsonObject({"a": 10**4000}, "it").decimal("a"), "it.a: out of bounds"),
    ],
)
def test_a_member_of_another_type_is_named(ask: Any, reason: str) -> None:
    with pytest.raises(InvalidValue, match=reason):
        ask()
