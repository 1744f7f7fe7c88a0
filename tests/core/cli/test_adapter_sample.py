"""`tillpost adapter sample`: a sample of every adapter's format reads the same and has nobody in it."""

from __future__ import annotations

import base64
import gzip
import importlib
import io
import itertools
import json
import re
import uuid
import zipfile
from collections.abc import Iterator
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest
from click.testing import CliRunner

from tests.plugins.tillpost_dsfinvk.written import Written, index_xml, packed, unpacked
from tests.support.exports import export
from tests.support.workbook import workbook
from tillpost.cli import cli
from tillpost.errors import UsageError
from tillpost.kit.settings import toml_text
from tillpost.testing import AdapterSuite

ADAPTERS = (
    *("digital_receipt", "dsfinvk", "lightspeed", "poslog", "receipts", "saft_cash"),
    *("shopify", "square", "table", "zettle"),
)


def _suite(adapter: str) -> type[AdapterSuite]:
    module = importlib.import_module(f"tillpost_{adapter}.promises")
    return next(
        each
        for each in vars(module).values()
        if isinstance(each, type) and issubclass(each, AdapterSuite) and each.__module__ == module.__name__
    )


def _samples() -> Iterator[tuple[str, Path]]:
    for adapter in ADAPTERS:
        folder = Path(importlib.import_module(f"tillpost_{adapter}").__file__ or "").parent / "samples"
        folder = folder / "promises" if (folder / "promises").exists() else folder
        yield from ((adapter, path) for path in sorted(folder.iterdir()) if path.is_file() and path.suffix != ".toml")


SAMPLES = list(_samples())
PLAIN = ("day", "sale", "phone", "void_receipt")
"""Promises of which a plain run makes samples; the others are slow together."""
NAMES = ("kopp", "c-1001", "c-2001", "+46701234567", "anna", "berg", "andersson")
"""Of the articles and customers of the samples."""


@pytest.fixture(autouse=True)
def _keys(monkeypatch: pytest.MonkeyPatch) -> None:
    """The same keys at every run, one after the other: a pseudonym by chance may look like a name that is searched."""
    numbers = itertools.count(1)
    monkeypatch.setattr("tillpost.support.sample.shapes.secrets.token_bytes", lambda size: next(numbers).to_bytes(size))


@pytest.fixture
def call(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Any:
    monkeypatch.chdir(tmp_path)
    return lambda *words: CliRunner().invoke(cli, ["adapter", *map(str, words)])


PIPELINE = """
[pipelines.p]
source = {{ use = "folder", path = "inbox" }}
resolve = {{ use = "known" }}
map = {{ use = "engage" }}
transport = {{ use = "engage", url = "https://engage.test", api_key = {{ env = "ENGAGE_API_KEY" }} }}
[pipelines.p.adapter]
use = "{adapter}"
{settings}
"""


@pytest.mark.parametrize(
    ("adapter", "path"),
    [
        pytest.param(adapter, path, marks=() if path.stem in PLAIN else pytest.mark.slow, id=f"{adapter}-{path.stem}")
        for adapter, path in SAMPLES
    ],
)
def test_a_sample_of_every_promise_reads_the_same(call: Any, tmp_path: Path, adapter: str, path: Path) -> None:
    suite = _suite(adapter)()
    settings = "\n".join(f"{key} = {toml_text(each)}" for key, each in suite.settings_for(path.stem).items())
    (tmp_path / "tillpost.toml").write_text(PIPELINE.format(adapter=suite.plugin, settings=settings), encoding="utf-8")
    result = call("sample", suite.plugin, path, "--pseudonyms", "--pipeline", "p", "--out", "s", "--json")
    told = json.loads(result.stdout)
    assert result.exit_code == 0, told
    assert (told["differs"], told["people_left"]) == ([], [])
    before, after = path.read_text("utf-8", "replace"), (tmp_path / "s").read_text("utf-8", "replace")
    assert before.count("\n") == after.count("\n")
    assert not set(re.findall(r"[\w.+@-]+", after.casefold())) & set(NAMES), told["kept"]


PERSON = {
    "name": "Åse Bergström-Øye",
    "mail": "ase.bergstrom@shop.example",
    "phone": "+46701740612",
    "national": "850312-1232",
    "member": "6037715500011223",
    "street": "Storgatan 14B",
    "note": "rings twice, ask for Åse",
    "cashier": "Kim Lindqvist",
}
PARTS = ("bergström", "øye", "bergstrom", "storgatan", "lindqvist", "rings", "203.0.113", "8503", "1232", "6037")
"""Nobody, in places that adapters read and in places that they do not."""


def xml() -> str:
    """POSLog with a person in attributes, elements, comments, instructions, CDATA and an element nobody reads."""
    text = (
        Path(importlib.import_module("tillpost_poslog").__file__ or "").parent / "samples/promises/sale.xml"
    ).read_text("utf-8")
    extra = (
        f'<!-- {PERSON["note"]} --><?print for {PERSON["name"]}?><OperatorID OperatorName="{PERSON["cashier"]}">'
        f"{PERSON['cashier']}</OperatorID><Extra a='{PERSON['mail']}'>{PERSON['phone']}</Extra>"
        f"<Street><![CDATA[{PERSON['street']}]]></Street><Whatever>850312<!-- -->-1232</Whatever>"
        f'<Data>{{"to": "{PERSON["name"]}", "n": {PERSON["member"]}}}</Data>'
    )
    return text.replace("<CurrencyCode", f"{extra}<CurrencyCode", 1)


def table(delimiter: str = ";") -> str:
    """A table with a person in columns of the mapping, in others, in a title, in JSON, and in two lines."""
    titles = f"Sold by {PERSON['cashier']}\n\n"
    header = ["Receipt", "Shop", "Date", "Article", "Paid", "Card", "Kassör", "Ref", "Blob"]
    rows = [
        [
            "1001",
            "12",
            "2026-03-14 15:30:00",
            "A-1",
            "1 130,50 kr",
            PERSON["member"],
            PERSON["cashier"],
            PERSON["phone"],
        ],
        ["1002", "12", "2026-03-14 15:31:00", "A-1", "-30,00", PERSON["member"], PERSON["cashier"], PERSON["national"]],
    ]
    blobs = [json.dumps({"who": PERSON["name"]}, ensure_ascii=False), f"{PERSON['street']}\n{PERSON['mail']}"]
    lines = [header, *([*row, '"' + blob.replace('"', '""') + '"'] for row, blob in zip(rows, blobs, strict=True))]
    return titles + "\n".join(delimiter.join(line) for line in lines) + "\n"


MAPPING = (
    *("--set=timezone=Europe/Stockholm", "--set=decimal=,", "--set=delimiter=;", "--set=thousands= "),
    *("--set=date=%Y-%m-%d %H:%M:%S", "--set=constants.currency=SEK"),
    *("--set=columns.number=Receipt", "--set=columns.store=Shop", "--set=columns.created=Date"),
    *("--set=columns.sku=Article", "--set=columns.paid=Paid", "--set=customer.memberNumber=Card"),
)


def shop() -> str:
    """Answers of a web shop with a person in objects, texts, keys, numbers and JSON inside a text."""
    folder = Path(importlib.import_module("tillpost_shopify").__file__ or "").parent / "samples/promises"
    order = json.loads((folder / "sale.json").read_text("utf-8"))
    order |= {
        "note": PERSON["note"],
        "browser_ip": "203.0.113.77",
        "billing_address": {"name": PERSON["name"], "address1": PERSON["street"], "phone": PERSON["phone"]},
        "user": {PERSON["mail"]: True},
        "payload": json.dumps({"for": PERSON["name"], "card": int(PERSON["member"])}),
        "staff_member": {"first_name": "Kim", "last_name": "Lindqvist"},
    }
    return json.dumps(order, indent=2)


def nobody_in(text: str) -> None:
    """No value of the person, in whole or in a part that is one's own."""
    folded = text.casefold()
    for value in [
        *PERSON.values(),
        *PARTS,
    ]:
        assert value.casefold() not in folded, value


def made(call: Any, tmp_path: Path, name: str, content: str | bytes, *words: str) -> tuple[Any, bytes]:
    """What is told of a sample, and the sample; its figures are those of the original."""
    source = tmp_path / name
    source.write_bytes(content if isinstance(content, bytes) else content.encode())
    adapter, *rest = words
    result = call("sample", adapter, source, "--pseudonyms", *rest, "--out", f"out-{name}", "--json")
    assert result.exit_code == 0, result.output
    figures = [
        json.loads(call("try", adapter, each, *rest, "--json").stdout)["totals"] for each in (source, f"out-{name}")
    ]
    without_store = [[{**row, "store": ""} for row in each] for each in figures]
    assert without_store[0] == without_store[1]
    assert without_store[0]
    return json.loads(result.stdout), (tmp_path / f"out-{name}").read_bytes()


def test_nobody_is_left_in_xml(call: Any, tmp_path: Path) -> None:
    _, sample = made(
        call, tmp_path, "a.xml", xml(), "poslog", "--set=timezone=Europe/Stockholm", "--set=loyalty=externalId"
    )
    nobody_in(text := sample.decode())
    assert "<![CDATA[" in text
    assert re.search(r"<Whatever>\d{6}<!-- -->-\d{4}</Whatever>", text)


@pytest.mark.parametrize("encoding", ["utf-8", "utf-8-sig", "windows-1252", "utf-16"])
def test_nobody_is_left_in_a_table_in_any_encoding(call: Any, tmp_path: Path, encoding: str) -> None:
    setting = () if encoding.startswith("utf") else (f"--set=encoding={encoding}",)
    _, sample = made(call, tmp_path, "a.csv", table().encode(encoding), "table", *MAPPING, *setting)
    text = sample.decode(encoding)
    nobody_in(text)
    assert "Receipt;Shop;Date;Article;Paid;Card;Kassör;Ref;Blob" in text
    assert ";1 130,50 kr;" in text
    [one, other] = [line.split(";")[5] for line in text.splitlines() if "2026-03-14" in line]
    assert one == other  # one customer stays one
    assert len(one) == len(PERSON["member"])


def test_nobody_is_left_in_json_and_in_json_within(call: Any, tmp_path: Path) -> None:
    told, sample = made(call, tmp_path, "a.json", shop(), "shopify", "--set=store=web")
    nobody_in(sample.decode())
    nobody_in(json.dumps(json.loads(sample), ensure_ascii=False))
    assert json.loads(json.loads(sample)["payload"]).keys() == {"for", "card"}
    assert told["replaced"] > 10


def test_nobody_is_left_in_lines_of_which_one_is_cut(call: Any, tmp_path: Path) -> None:
    line = json.dumps(json.loads(shop()), ensure_ascii=False)
    _, sample = made(call, tmp_path, "a.jsonl", f"{line}\n{line[: len(line) // 2]}\n", "shopify", "--set=store=web")
    nobody_in(sample.decode())


def test_nobody_is_left_in_gzip(call: Any, tmp_path: Path) -> None:
    packed = gzip.compress(table().encode())
    _, sample = made(call, tmp_path, "a.csv.gz", packed, "table", *MAPPING)
    nobody_in(gzip.decompress(sample).decode())


def test_nobody_is_left_in_a_workbook_nor_its_author(call: Any, tmp_path: Path) -> None:
    rows: list[list[Any]] = [[f"Sold by {PERSON['cashier']}"], []]
    rows += [["Receipt", "Shop", "Date", "Article", "Paid", "Card", "Kassör", "Ref"]]
    rows += [
        [
            1001,
            "12",
            datetime.fromisoformat("2026-03-14T15:30:00"),
            "A-1",
            1130.5,
            PERSON["member"],
            PERSON["cashier"],
            PERSON["national"],
        ]
    ]
    content = io.BytesIO(workbook(rows))
    with zipfile.ZipFile(content, "a") as archive:
        archive.writestr("docProps/core.xml", f"<p>{PERSON['name']}</p>")
    _, sample = made(call, tmp_path, "a.xlsx", content.getvalue(), "table", *MAPPING)
    with zipfile.ZipFile(io.BytesIO(sample)) as archive:
        nobody_in("".join(archive.read(name).decode() for name in archive.namelist()))
        assert "docProps/core.xml" not in archive.namelist()


def test_nobody_is_left_in_a_zip_and_what_is_no_table_is_omitted(call: Any, tmp_path: Path) -> None:
    export = Written().head("1", "5,00", KUNDE_ID=PERSON["member"], KUNDE_NAME=PERSON["name"], BON_NOTIZ=PERSON["note"])
    export.head("2", "7,00", KUNDE_NAME=PERSON["name"], BEDIENER_NAME=PERSON["cashier"], kind="AVTraining")
    export.line("1", "1", "A", "1,000", "5,00", ARTIKELTEXT=PERSON["street"]).pay("1", "Bar", "5,00").closed(
        payments="5,00"
    )
    content = export.zip(index=index_xml(names=PERSON["name"]), scan__pdf=PERSON["name"].encode())
    told, sample = made(call, tmp_path, "a.zip", content, "dsfinvk", "--set=store=Mitte")
    nobody_in(b"".join(unpacked(sample).values()).decode())
    assert told["omitted"] == ["scan.pdf"]
    assert json.loads(call("try", "dsfinvk", "out-a.zip", "--set=store=Mitte", "--json").stdout)["skipped"] == {
        "training": 1
    }


def test_ids_that_are_one_in_two_forms_stay_one(call: Any, tmp_path: Path) -> None:
    folder = Path(importlib.import_module("tillpost_zettle").__file__ or "").parent / "samples/promises"
    purchase = json.loads((folder / "sale.json").read_text("utf-8"))
    number = uuid.uuid1()
    purchase["purchaseUUID1"] = str(number)
    purchase["purchaseUUID"] = base64.urlsafe_b64encode(number.bytes).decode().rstrip("=")
    _, sample = made(
        call,
        tmp_path,
        "a.json",
        json.dumps(purchase),
        "zettle",
        "--set=timezone=Europe/Stockholm",
    )
    changed = json.loads(sample)
    assert changed["purchaseUUID1"] != str(number)
    assert base64.urlsafe_b64decode(changed["purchaseUUID"] + "==") == uuid.UUID(changed["purchaseUUID1"]).bytes


def test_short_numbers_of_customers_go_and_those_of_goods_stay(call: Any, tmp_path: Path) -> None:
    """77 and 4711 are customers, 77 is a number of pieces, too; one customer bought on a training receipt."""
    rows = ["Receipt,Shop,Date,Article,Paid,Qty,Who,Kind"]
    rows += [f"{n},12,2026-03-14 15:30:00,A,{q}.00,{q},{who},{kind}" for n, q, who, kind in (
        (1, 77, "77", "S"), (2, 1, "4711", "S"), (3, 2, "88", "T"), (4, 12, "77", "S"), (5, 3, "Bo", "S")
    )]  # fmt: skip
    mapping = [
        each
        for each in MAPPING
        if each.split("=")[1] not in ("decimal", "delimiter", "thousands", "customer.memberNumber")
    ]
    mapping += ["--set=customer.memberNumber=Who", "--set=columns.quantity=Qty", "--set=skip.Kind.T=training"]
    _, sample = made(call, tmp_path, "a.csv", "\n".join(rows), "table", *mapping)
    lines = [line.split(",") for line in sample.decode().splitlines()[1:]]
    assert [line[5] for line in lines] == ["77", "1", "2", "12", "3"]
    who = [line[6] for line in lines]
    assert not {"77", "4711", "88", "Bo"} & set(who)
    assert who[0] == who[3]


def test_a_person_inside_a_word_that_the_adapter_needs_is_told(call: Any, tmp_path: Path) -> None:
    """The tender's words are needed to know its type: one has the customer's name."""
    rows = ["Receipt,Shop,Date,Article,Paid,Pay,Card,Förnamn"]
    rows += ["1,12,2026-03-14 15:30:00,A,5.00,Till Bosse,M-100200,Bosse"]
    mapping = [each for each in MAPPING if each.split("=")[1] not in ("decimal", "delimiter", "thousands")]
    mapping += ["--set=columns.tender_type=Pay", "--set=customer.firstName=Förnamn"]
    (tmp_path / "a.csv").write_text("\n".join(rows), encoding="utf-8")
    result = call("sample", "table", "a.csv", "--pseudonyms", *mapping)
    assert result.exit_code == 1, result.output
    assert "a customer's value is left at Pay" in result.stdout
    assert "Bosse" not in result.stdout


def test_a_file_without_a_header_is_no_list_of_names_of_columns(call: Any, tmp_path: Path) -> None:
    files = unpacked(Written().head("1", "5,00").line("1", "1", "A", "1", "5,00").pay("1", "Bar", "5,00").zip())
    files["kunden.csv"] = f"{PERSON['name']};{PERSON['street']};{PERSON['mail']}\r\n".encode()
    files["namen.csv"] = b"BERGSTROM;STORGATAN\r\nLINDQVIST;STORGATAN\r\n"
    _, sample = made(call, tmp_path, "a.zip", packed(files), "dsfinvk", "--set=store=Mitte")
    nobody_in(b"".join(unpacked(sample).values()).decode())


def test_what_is_asked_to_stay_stays_and_a_customer_does_not(call: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table(), encoding="utf-8")
    words = ("sample", "table", "a.csv", "--pseudonyms", *MAPPING)
    assert call(*words, "--keep", "Article").exit_code == 0
    assert "A-1" in (tmp_path / "sample-a.csv").read_text(encoding="utf-8")
    refused = call(*words, "--keep", "Card", "--out", "b.csv")
    assert refused.exit_code == 1
    assert "a customer's value is left at Card; do not --keep it" in refused.stdout
    assert not (tmp_path / "b.csv").exists()


def test_values_that_stay_are_shown_to_a_person(call: Any, tmp_path: Path) -> None:
    (tmp_path / "a.xml").write_text(xml(), encoding="utf-8")
    words = ("sample", "poslog", "a.xml", "--set=timezone=Europe/Stockholm", "--set=loyalty=externalId")
    shown = call(*words, "--pseudonyms").stdout
    assert re.match(r"sample-a.xml: 1 record as in a.xml, \d+ values replaced\n", shown)
    assert "Is anybody in them?" in shown
    assert re.search(r"TotalType: .*TransactionGrandAmount", shown)


OF_A_PERSON = {
    "Puhelin 2": "701234567.0", "Ref 1": "701.23.45.67",
    "Ref 2": "555.1234", "Ref 3": "30.123.456", "Ref 4": "12 345 678",
    "Dag 1": "1985-03-12", "Dag 2": "12/03/1985", "Dag 3": "12.3.1985", "Dag 4": "14.03.85", "Dag 5": "85-03-12",
    "Kassør": "4242", "Verkäufer": "4243", "Sprzedawca": "4244", "Kundennr.": "4245", "Jäsen": "4246", "PESEL": "4247",
}  # fmt: skip
"""A person's numbers and days as tables of many countries have them: none is read by the adapter."""


def test_numbers_and_days_of_a_person_go_from_columns_that_nothing_reads(call: Any, tmp_path: Path) -> None:
    base = "1001;12;2026-03-14 15:30:00;A-1;1 130,50;6037715500011223;990,00;2026-03-01;12,345"
    header = ["Receipt;Shop;Date;Article;Paid;Card;Cost;Week;Weight", *OF_A_PERSON]
    content = ";".join(header) + "\n" + ";".join([base, *OF_A_PERSON.values()]) + "\n"
    _, sample = made(call, tmp_path, "a.csv", content, "table", *MAPPING)
    cells = sample.decode().splitlines()[1].split(";")
    assert cells[4] == "1 130,50"
    assert cells[6:9] == ["990,00", "2026-03-01", "12,345"], "amounts and days of the sale stay, read or not"
    left = {name for name, cell in zip(header, cells[8:], strict=True) if OF_A_PERSON.get(name) == cell}
    assert not left


def test_a_large_amount_that_the_adapter_reads_stays(call: Any, tmp_path: Path) -> None:
    content = "Receipt;Shop;Date;Article;Paid;Card\n1;12;2026-03-14 15:30:00;A-1;12 345 678,00;6037715500011223\n"
    told, sample = made(call, tmp_path, "a.csv", content, "table", *MAPPING)
    assert b"12 345 678,00" in sample
    assert told["kept"]["Paid"] == ["12 345 678,00"]


def test_nobody_is_left_in_the_keys_of_an_object(call: Any, tmp_path: Path) -> None:
    order = json.loads(shop())
    order["order"]["customer"] = {"id": 70011223}
    order |= {"byCashier": {"Kim Lindqvist": 3, "ase.bergstrom": 1}, "points": {"70011223": 2, "c-70011223": 3}}
    _, sample = made(call, tmp_path, "a.json", json.dumps(order), "shopify", "--set=store=web")
    nobody_in(sample.decode())
    assert b"70011223" not in sample
    assert b'"byCashier"' in sample


def test_nobody_is_left_in_the_name_of_a_sheet(call: Any, tmp_path: Path) -> None:
    rows: list[list[Any]] = [["Receipt", "Shop", "Date", "Article", "Paid", "Card"]]
    rows += [["1", "12", datetime.fromisoformat("2026-03-14T15:30:00"), "A-1", 5, PERSON["member"]]]
    with zipfile.ZipFile(io.BytesIO(workbook(rows))) as archive:
        parts = {name: archive.read(name) for name in archive.namelist()}
    parts["xl/workbook.xml"] = parts["xl/workbook.xml"].replace(b"Blad1", PERSON["cashier"].encode())
    file = io.BytesIO()
    with zipfile.ZipFile(file, "w") as archive:
        for name, part in parts.items():
            archive.writestr(name, part)
    _, sample = made(call, tmp_path, "a.xlsx", file.getvalue(), "table", *MAPPING)
    with zipfile.ZipFile(io.BytesIO(sample)) as archive:
        nobody_in(archive.read("xl/workbook.xml").decode())


def test_records_that_cannot_be_read_are_counted(call: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table().replace("-30,00", "abc"), encoding="utf-8")
    result = call("sample", "table", "a.csv", "--pseudonyms", *MAPPING)
    assert result.exit_code == 0, result.output
    assert "1 of them cannot be read, as in the export" in result.stdout


def test_mistakes_are_told_with_the_next_step(call: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table(), encoding="utf-8")
    (tmp_path / "no.csv").write_text("nothing", encoding="utf-8")
    for words, said in (
        (("table", "a.csv", *MAPPING), "say --pseudonyms, which replaces them"),
        (("table", "no.csv", "--pseudonyms", *MAPPING), "`tillpost adapter try` says why"),
        (("folder", "a.csv", "--pseudonyms"), "is not an adapter"),
        (("table", "a.csv", "--pseudonyms", *MAPPING, "--out", "a.csv"), "name another file with --out"),
    ):
        error = call("sample", *words).exception
        assert isinstance(error, UsageError), words
        assert said in str(error)


def test_another_run_makes_other_pseudonyms(call: Any, tmp_path: Path) -> None:
    (tmp_path / "a.csv").write_text(table(), encoding="utf-8")
    for out in ("1", "2"):
        assert call("sample", "table", "a.csv", "--pseudonyms", *MAPPING, "--out", out).exit_code == 0
    assert (tmp_path / "1").read_bytes() != (tmp_path / "2").read_bytes()


@pytest.mark.parametrize(
    ("adapter", "file", "words"),
    [
        ("poslog", ("poslog-ncr-acs", "SMALL.xml"), ("--set=timezone=America/New_York", "--set=loyalty=externalId")),
        (
            "saft-cash",
            ("saf-t-cash-register-no", "example-2021.xml"),
            ("--set=timezone=Europe/Oslo", "--set=customer=externalId"),
        ),
        ("shopify", ("shopify", "orders.json"), ("--set=store=web",)),
    ],
)
def test_a_real_export_becomes_a_sample(
    call: Any, tmp_path: Path, adapter: str, file: tuple[str, ...], words: Any
) -> None:
    result = call("sample", adapter, export(*file), "--pseudonyms", *words, "--out", "s", "--json")
    assert result.exit_code == 0, result.output
    assert json.loads(result.stdout)["replaced"] > 20
