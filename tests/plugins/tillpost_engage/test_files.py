"""The import files: what is in them, by our schemas and by the sandbox's own reader."""

import logging
import random
import re
from collections.abc import Callable
from datetime import datetime
from pathlib import Path
from typing import Any

import attrs
import pytest
from hypothesis import given
from hypothesis import strategies as st
from lxml import etree

from tillpost import ConfigurationError, Context, Use
from tillpost.clock import SystemClock
from tillpost.errors import InvalidValue
from tillpost.model import Contact, FallbackBatch, FallbackFile, Identifier, Payload, WrittenFiles
from tillpost_engage.files import EngageFiles, plugin
from tillpost_engage.filesettings import FileSettings
from tillpost_engage.payload import Mapping
from tillpost_engage.schemas import InvalidFileError, check_file, contacts_schema, receipts_schema
from tillpost_engage.settings import MapSettings
from tillpost_engage.writer import chunks
from tillpost_sandbox.documents import read_contacts, read_receipts
from tillpost_sandbox.files import is_import_name
from tillpost_sandbox.receipts import format_errors, sum_difference

STAMP = datetime.fromisoformat("2026-03-01T12:30:00+01:00")
NAMESPACE = "http://eClub.Schemas.ImportMember"
EMAIL = Identifier("email", "a@b.se")
EXTERNAL = Identifier("externalId", "c-1")


def fallback(tmp_path: Path, **settings: Any) -> EngageFiles:
    context = Context(
        pipeline="p",
        folder=tmp_path,
        state=tmp_path,
        clock=SystemClock(),
        random=random.Random(1),
        budget=lambda _key, _rate: None,  # type: ignore[arg-type, return-value]
    )
    (built,) = plugin.build([Use("fallback", FileSettings(**settings))], context)
    assert isinstance(built, EngageFiles)
    return built


@attrs.define
class Writer:
    folder: Path
    sequence: int = 0

    def __call__(self, receipts: Any = (), created: Any = (), updated: Any = (), **settings: Any) -> WrittenFiles:
        self.sequence += 1
        batch = FallbackBatch(
            created=tuple(created),
            updated=tuple(updated),
            receipts=tuple(receipts),
            stamp=STAMP,
            sequence=self.sequence,
            folder=self.folder / "final",
        )
        return fallback(self.folder, **settings).write_files(batch)


@pytest.fixture
def write(tmp_path: Path) -> Writer:
    return Writer(tmp_path)


@pytest.fixture
def payload(receipt_of: Callable[..., Any], line_of: Callable[..., Any]) -> Callable[..., Payload]:
    def make(id: str, match: Identifier = EMAIL, lines: int = 1, **line: Any) -> Payload:
        receipt = receipt_of(*[line_of(**line) for _ in range(lines)], id=id)
        return Mapping(MapSettings()).map_receipt(receipt, match)

    return make


def contact(key: str, *identifiers: Identifier, **attributes: str) -> Contact:
    return Contact(key=key, identifiers=identifiers, attributes=attributes)


def sandbox_reads(file: FallbackFile) -> list[dict[str, Any]]:
    """What an importer that is not ours finds in the file, in the contract's order and without errors."""
    raw = file.path.read_bytes()
    if file.kind == "contacts":
        assert is_import_name(file.name, "contacts")
        check_file(file.path, contacts_schema(NAMESPACE, {}))
        return [record.body | {"_group": record.group} for record in read_contacts(raw, "contacts", NAMESPACE)]
    assert is_import_name(file.name, "transactions")
    check_file(file.path, receipts_schema())
    records = read_receipts(raw)
    assert all(record.disordered == () for record in records)
    return [record.body for record in records]


def test_a_receipts_file_has_what_the_api_would_have_got(
    write: Writer, receipt_of: Callable[..., Any], line_of: Callable[..., Any]
) -> None:
    receipt = receipt_of(line_of("10.00", "0.5", extra={"a": "b"}), extra={"till": "<1> & 'å'"}, vouchers=("v",))
    sent = Mapping(MapSettings()).map_receipt(receipt, EMAIL)
    (file,) = write([sent]).files
    assert file.path.parent.name == "transactionImport"
    assert file.keys == ("r-1",)
    assert file.size == file.path.stat().st_size
    (body,) = sandbox_reads(file)
    assert body == sent.fields
    assert format_errors(body) == []
    assert sum_difference(body, "line") == 0


def test_contacts_go_first_and_only_with_what_is_new(write: Writer, payload: Callable[..., Payload]) -> None:
    """Contacts files before receipts files."""
    known = Contact(
        key="k2",
        contact_id="g",
        identifiers=(EXTERNAL,),
        attributes={"city": "Lund", "firstName": "Ann"},
        sent={"firstName": "Ann"},
    )
    same = attrs.evolve(known, key="k3", sent={"city": "Lund", "firstName": "Ann"})
    done = write([payload("r")], [contact("k1", EMAIL, firstName="Bo", mobilePhone="070")], [known, same])
    assert [file.kind for file in done.files] == ["contacts", "receipts"]
    assert done.files[0].keys == ("k1", "k2")
    assert done.files[0].path.parent.name == "contactImport"
    assert sandbox_reads(done.files[0]) == [
        {"_group": "new", "contactType": "Member", "firstName": "Bo", "email": "a@b.se"},
        {"_group": "updated", "city": "Lund", "externalId": "c-1"},
    ]


def test_a_contact_no_file_can_carry_is_refused_alone(write: Writer) -> None:
    member = contact("k1", Identifier("memberNumber", "m"))
    odd = Contact(key="k2", identifiers=(EMAIL,), attributes={"first name": "Ann"})
    nameless = Contact(key="k3", contact_id="g", attributes={"city": "x"})
    done = write((), [member, odd, contact("k4", EMAIL)], [nameless])
    assert [refused.key for refused in done.refused] == ["k1", "k2", "k3"]
    assert done.files[0].keys == ("k4",)


def test_one_match_key_type_a_file(write: Writer, payload: Callable[..., Payload]) -> None:
    """One matchKeyType a file."""
    mixed = [payload(f"r{i}", EXTERNAL if i % 2 else EMAIL) for i in range(6)]
    files = write(mixed).files
    assert [file.keys for file in files] == [("r0", "r2", "r4"), ("r1", "r3", "r5")]
    for file in files:
        assert len({body["contact"]["matchKeyType"] for body in sandbox_reads(file)}) == 1


def test_lines_are_counted_not_receipts(write: Writer, payload: Callable[..., Payload]) -> None:
    done = write([payload(f"r{i}", lines=n) for i, n in enumerate([3, 2, 1, 5, 6, 4])], max_lines=5)
    assert [file.keys for file in done.files] == [("r0", "r1"), ("r2",), ("r3",), ("r5",)]
    assert done.refused[0].key == "r4"
    assert done.refused[0].reason == "it has 6 lines, and a file has at most 5"


@given(st.lists(st.integers(1, 7), max_size=30), st.integers(7, 20))
def test_every_key_is_in_exactly_one_run_and_no_run_is_too_long(sizes: list[int], most: int) -> None:
    """The last receipt of a full file is in exactly one file."""
    runs = list(chunks([(size, str(i)) for i, size in enumerate(sizes)], most))
    assert [key for run in runs for key in run] == [str(i) for i in range(len(sizes))]
    assert all(0 < sum(sizes[int(key)] for key in run) <= most for run in runs)


def test_contacts_are_split_at_their_own_limit(write: Writer) -> None:
    people = [contact(f"k{i}", Identifier("externalId", f"c{i}")) for i in range(5)]
    assert [len(file.keys) for file in write((), people, max_contacts=2).files] == [2, 2, 1]


def test_names_differ_between_batches_files_and_machines(write: Writer, payload: Callable[..., Payload]) -> None:
    """Two machines, same second, same store: different names."""
    names = []
    for _ in range(20):
        names += [file.name for file in write([payload("a"), payload("b")], max_lines=1).files]
    write.sequence = 0  # another machine's journal counts alike, in the same second
    names += [file.name for file in write([payload("a"), payload("b")], max_lines=1).files]
    assert len(set(names)) == 42
    assert all(is_import_name(name, "transactions") for name in names)


ODD_STORES = ("../../etc", "åäö/12:3", "/etc/passwd", "..", "a\x00b", "C:\\x", "\r\nDELE x", "a" * 300, "\u202ex")


@pytest.mark.parametrize("odd", ODD_STORES)
def test_no_store_id_reaches_a_file_name(
    write: Writer, receipt_of: Callable[..., Any], line_of: Callable[..., Any], odd: str
) -> None:
    """A store id such as `../../etc` or `åäö/12:3` in a file name: names are made of time and numbers alone."""
    receipt = attrs.evolve(receipt_of(line_of()), store=odd, till=odd, number=odd, id=odd)
    kept = Identifier("externalId", odd.replace("\x00", ""))
    done = write([Mapping(MapSettings()).map_receipt(receipt, kept)], [contact(odd, kept)])
    for file in done.files:
        assert re.fullmatch(r"20260301123000_\d+-[0-9a-f]{8}_(contacts|transactions)\.xml", file.name)
        assert file.path.parent.parent == write.folder / "final"
    assert {path.parent.parent for path in write.folder.rglob("*.xml")} == {write.folder / "final"}


@pytest.mark.parametrize("name", ["../x.xml", "a/b", "a\\b", "..", "", "x\r\nDELE y", "x\0"])
def test_a_file_of_another_fallback_cannot_be_called_what_leads_elsewhere(tmp_path: Path, name: str) -> None:
    """Whatever writes the files: no transfer is given a name that is more than a name."""
    with pytest.raises(InvalidValue, match="name"):
        FallbackFile(name=name, kind="receipts", sha256="", size=0, keys=(), path=tmp_path)


def test_what_xml_forbids_is_replaced_and_counted(
    write: Writer, payload: Callable[..., Payload], caplog: pytest.LogCaptureFixture
) -> None:
    with caplog.at_level(logging.WARNING):
        (file,) = write([payload("r", article_name="a\x0bb\ud800\ufffe]]> </item>")]).files
    (body,) = sandbox_reads(file)
    assert body["items"][0]["articleName"] == "a\ufffdb\ufffd\ufffd]]> </item>"
    assert "3 characters" in caplog.text


HOSTILE = "</articleName></Receipt><!--]]>=cmd|' /C calc'!A1<script>alert(1)</script>&lt;\x1b[31m"


def test_a_hostile_name_stays_text_in_the_xml(write: Writer, payload: Callable[..., Payload]) -> None:
    """</Receipt>, =cmd|…, <script> reach the importer as they are; of an ANSI escape XML cannot say the first sign."""
    someone = contact("k", EMAIL, firstName=HOSTILE)
    contacts, receipts = write([payload("r1", article_name=HOSTILE), payload("r2")], [someone]).files
    first, second = sandbox_reads(receipts)
    assert first["items"][0]["articleName"] == HOSTILE.replace("\x1b", "\ufffd")
    assert len(second["items"]) == 1
    (person,) = sandbox_reads(contacts)
    assert person["firstName"] == HOSTILE.replace("\x1b", "\ufffd")
    for file in (contacts, receipts):
        raw = file.path.read_bytes()
        assert b"\x1b" not in raw
        assert b"<script" not in raw


@pytest.mark.parametrize("harm", ["field", "list", "sign", "type", "quantity"])
def test_a_receipt_the_schema_does_not_take_is_refused_alone(
    write: Writer, payload: Callable[..., Payload], harm: str
) -> None:
    bad = payload("bad", article_name="SECRET")
    item: dict[str, Any] = bad.fields["items"][0]
    match harm:
        case "field":
            item["colour"] = "SECRET"
        case "list":
            item["colours"] = ["SECRET"]
        case "sign":
            item["grossPaidPrice"] = -item["grossPaidPrice"]
        case "type":
            item["type"] = "SECRET"
        case _:
            item["quantity"] = 0
    done = write([payload("r1"), bad, payload("r2")])
    assert done.files[0].keys == ("r1", "r2")
    (refused,) = done.refused
    assert refused.key == "bad"
    assert "SECRET" not in refused.reason
    named = {"field": "colour", "list": "colours", "sign": "grossPaidPrice", "type": "item/type"}
    assert named.get(harm, "item/quantity") in refused.reason


def test_where_the_schema_takes_none_there_is_no_file(write: Writer, payload: Callable[..., Payload]) -> None:
    bad = payload("bad")
    bad.fields["items"][0]["quantity"] = 0
    done = write([bad, payload("r", EXTERNAL)])
    assert [file.keys for file in done.files] == [("r",)]
    assert [refused.key for refused in done.refused] == ["bad"]
    assert {path for path in write.folder.rglob("*") if path.is_file()} == {file.path for file in done.files}


def test_nothing_is_left_under_a_temporary_name(write: Writer, payload: Callable[..., Payload]) -> None:
    done = write([payload("r")], [contact("k", EMAIL)])
    assert {path for path in write.folder.rglob("*") if path.is_file()} == {file.path for file in done.files}


def test_a_contact_is_named_by_its_id_or_by_the_first_key_it_has(tmp_path: Path) -> None:
    files = fallback(tmp_path)
    both = contact("k", Identifier("memberNumber", "m"), EMAIL, Identifier("mobilePhone", "070"))
    assert files.match_in_file(both) == EMAIL
    assert files.match_in_file(attrs.evolve(both, contact_id="g")) == Identifier("contactId", "g")
    assert files.match_in_file(contact("k", Identifier("mobilePhone", "070"))) is None
    assert fallback(tmp_path, match_keys=("email",)).match_in_file(contact("k", EXTERNAL)) is None


def test_the_names_of_a_contacts_file_are_options(write: Writer) -> None:
    names = {"contacts_root": "people", "contacts_new": "added", "contacts_member": "contact"}
    (file,) = write((), [contact("k", EMAIL)], contacts_namespace="urn:x", **names).files
    root = etree.parse(file.path).getroot()
    assert [element.tag for element in root.iter()][:3] == ["{urn:x}people", "{urn:x}added", "{urn:x}contact"]


XSLT = """<xsl:stylesheet version="1.0" xmlns:xsl="http://www.w3.org/1999/XSL/Transform">
<xsl:output encoding="UTF-8"/><xsl:template match="/"><tenant>%s</tenant></xsl:template></xsl:stylesheet>"""


def test_a_stylesheet_has_the_last_word(write: Writer, payload: Callable[..., Payload]) -> None:
    sheet = write.folder / "own.xslt"
    sheet.write_text(XSLT % "<xsl:value-of select=\"count(//*[local-name()='transaction'])\"/>")
    (file,) = write([payload("a"), payload("b")], xslt=sheet).files
    assert etree.parse(file.path).getroot().text == "2"
    assert file.size == file.path.stat().st_size


def test_a_stylesheet_that_makes_no_xml_leaves_no_file(write: Writer, payload: Callable[..., Payload]) -> None:
    sheet = write.folder / "own.xslt"
    sheet.write_text(XSLT.replace('encoding="UTF-8"', 'method="text"') % "no xml")
    with pytest.raises(InvalidFileError, match="not valid at line"):
        write([payload("a")], xslt=sheet)
    assert [path for path in (write.folder / "final").rglob("*") if path.is_file()] == []


def test_a_broken_stylesheet_is_a_finding(tmp_path: Path) -> None:
    sheet = tmp_path / "own.xslt"
    sheet.write_text("<xsl:stylesheet")
    with pytest.raises(ConfigurationError) as caught:
        fallback(tmp_path, xslt=sheet)
    assert caught.value.findings[0].key == "fallback.xslt"


@pytest.mark.parametrize(
    "wrong",
    [
        {"max_lines": 20_001},
        {"max_lines": 0},
        {"receipts_folder": "../x"},
        {"contacts_root": "a b"},
        {"match_keys": ()},
    ],
)
def test_settings_engage_would_not_take_are_refused(wrong: dict[str, Any]) -> None:
    with pytest.raises(ValueError, match=next(iter(wrong))):
        FileSettings(**wrong)


def test_twenty_thousand_lines_fit_one_file(write: Writer, payload: Callable[..., Payload]) -> None:
    """20,000 lines at most; the last receipt of a full file is in exactly one file."""
    full = write([payload(f"r{i}", lines=100) for i in range(201)])
    assert [len(file.keys) for file in full.files] == [200, 1]
    assert len(sandbox_reads(full.files[0])) == 200
