"""The support bundle: nothing of anybody's is in it, and a value can be followed through it."""

from __future__ import annotations

import json
import zipfile
from contextlib import closing
from pathlib import Path
from typing import Any

import attrs
import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, assume, given, settings
from hypothesis import strategies as st

from tests.support.memory import memory_folder
from tests.support.receipts import receipt
from tillpost.cli import cli
from tillpost.compose.config import examine
from tillpost.journal import Accepted, Journal, Move, State
from tillpost.model import Broken, Customer, Document, Found, Identifier
from tillpost.support import bundle
from tillpost.support.pseudonyms import Pseudonyms, own_words

CONFIG = """\
[pipelines.shop]
anonymous = "externalId:{house}"
adapter   = {{ use = "table", timezone = "Europe/Stockholm", columns = {{ number = "Bonnr", created = "Tid", \
sku = "Artnr", paid = "Belopp" }}, constants = {{ store = "{store}", currency = "SEK" }} }}
resolve   = {{ use = "known" }}
map       = {{ use = "engage" }}
transport = {{ use = "engage", url = "https://{host}.voyado.example", api_key = "{key}" }}
fallback  = {{ use = "engage-xml" }}
transfer  = {{ use = "sftp", host = "{host}.example.com", user = "{user}", password = "{password}", path = "/import", \
host_key = "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIGhhbGxvaGFsbG9oYWxsb2hhbGxvaGFsbG9oYWxs" }}
"""
WORDS = own_words() | own_words(bundle.plugin_packages())
names = st.text(st.sampled_from("abcdefghjkmnpqrstuvxyzåäöéß"), min_size=5, max_size=9).map(str.capitalize)
keys = st.text(st.sampled_from("0123456789abcdef"), min_size=24, max_size=40)
people = st.fixed_dictionaries(
    {
        "first": names,
        "last": names,
        "email": st.builds("{}.{}@{}.example".format, names, names, names),
        "phone": st.integers(700000000, 799999999).map("+46{}".format),
        "card": st.integers(10**7, 10**9).map(str),
        "store": st.integers(10000, 99999).map("S{}".format),
        "till": st.integers(10000, 99999).map("K{}".format),
        "number": st.integers(10**6, 10**8).map(str),
        "clerk": names,
        "house": names,
        "host": names.map(str.lower).filter(str.isascii),
        "user": names.map(str.lower),
        "key": keys,
        "password": keys,
    }
)


def written(folder: Path, who: dict[str, str]) -> dict[str, str]:
    """The files of the bundle of a shop where these are everywhere a till, a person or a file name can put them."""
    file = folder / "tillpost.toml"
    file.write_text(CONFIG.format(**who), encoding="utf-8")
    made = receipt(number=who["number"])
    customer = Customer(
        identifiers=(Identifier("externalId", who["card"]), Identifier("email", who["email"])),
        attributes={"firstName": who["first"], "lastName": who["last"], "mobilePhone": who["phone"]},
    )
    made = attrs.evolve(
        made, id=f"{who['store']}_{who['number']}", store=who["store"], till=who["till"], customer=customer
    )
    document = Document.from_bytes(f"{who['first']} {who['email']}.csv", b"x")
    made = attrs.evolve(made, raw=attrs.evolve(made.raw, document=document.name))
    broken = Broken(
        reason=f"receipt {who['number']} of store {who['store']}: {who['first']} {who['last']} is no number",
        place=f"line 12, {who['email']}",
        raw=who["last"].encode(),
        number=who["number"],
        store=who["store"],
    )
    with closing(Journal(folder / "state" / "shop")) as journal:
        journal.receipts.accept(
            [Found(receipt=made, raw=who["last"].encode()), broken], document, None, 100.0, Accepted()
        )
        held = journal.receipts.find({"state": State.HELD})[0]
        said = f"discarded: {who['clerk']} called {who['phone']}, see {who['email']}"
        journal.receipts.settle([(held.seq, Move(state=State.SKIPPED, reason=said))], 200.0, "held")
        house = {"what": "x", "tillpost": "0", "uses": [], "anonymous": f"externalId:{who['house']}"}
        journal.mappings.activate("0123456789ab", house, True, 50.0)
    log = folder / "run.log"
    log.write_text(f"ERROR pipeline shop: source: {document.name}: {who['clerk']} key={who['key']} {who['phone']}\n")
    config, findings = examine(file)
    out = folder / "bundle.zip"
    bundle.write(out, config, findings, last=10, now=300.0, logs=[log])
    with zipfile.ZipFile(out) as archive:
        return {name: archive.read(name).decode() for name in archive.namelist()}


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(who=people)
def test_nothing_that_names_anybody_is_in_it(who: dict[str, str]) -> None:
    assume(len(set(who.values())) == len(who))
    words = " ".join(WORDS).casefold()  # nor a part of one: `engag` is in it with every `engage`
    assume(not any(value.casefold() in words for value in who.values()))
    with memory_folder() as folder:
        files = written(folder, who)
    assert len(files) > 9
    for name, content in files.items():
        for kind, value in who.items():
            assert value not in content, (name, kind)
            assert json.dumps(value)[1:-1] not in content, (name, kind)


WHO = {
    "first": "Evelina",
    "last": "Lindqvist",
    "email": "evelina.l@mail.example",
    "phone": "+46701234567",
    "card": "88112233",
    "store": "S10042",
    "till": "K20001",
    "number": "5578001",
    "clerk": "Torsten",
    "house": "Husett",
    "host": "kedjan",
    "user": "tillman",
    "key": "0123456789abcdef01234567",
    "password": "fedcba987654321001234567",
}


def lines(content: str) -> list[dict[str, Any]]:
    return [json.loads(line) for line in content.splitlines()]


def test_a_value_can_be_followed_through_it_and_reasons_can_be_read(tmp_path: Path) -> None:
    files = written(tmp_path, WHO)
    sale, discarded = lines(files["pipelines/shop/receipts.jsonl"])
    (till,) = [each for each in lines(files["pipelines/shop/tills.jsonl"]) if each["till"] == sale["till"]]
    events = lines(files["pipelines/shop/events.jsonl"])
    slots = json.loads(files["configuration.json"])["shop"]["slots"]
    table = slots[0]["table"]
    assert till["store"] == sale["store"] == discarded["store"] == table["constants"]["store"]
    assert till["last_number"] == sale["number"]
    assert {each["receipt"] for each in events} >= {sale["id"], discarded["id"]}
    assert {each["contact"] for each in events} >= {sale["contact"]}
    told = [each["detail"]["reason"] for each in events if "reason" in each["detail"]]
    assert f"receipt {sale['number']} of store {sale['store']}: " in told[0]
    assert told[0].endswith(" is no number")
    assert told[-1].startswith("discarded: ~")
    assert (sale["total"], sale["currency"], sale["state"]) == ("10.00", "SEK", "accepted")
    assert table["columns"] == {"number": "Bonnr", "created": "Tid", "sku": "Artnr", "paid": "Belopp"}
    transport = next(each for each in slots if each["slot"] == "transport")
    assert transport["table"]["api_key"] == "***"
    status = json.loads(files["pipelines/shop/status.json"])
    assert status["counts"]["accepted"] == 1
    assert json.loads(files["versions.json"])["packages"]["apsw"] != "missing"
    assert any("secret" in each["message"] for each in json.loads(files["findings.json"]))


def test_what_names_somebody_is_a_pseudonym_whatever_word_it_is(tmp_path: Path) -> None:
    """`refund`, `receipts` and `import` are words of the format, and here of people, machines and folders, too."""
    who = WHO | {"user": "refund", "host": "import", "last": "delivered", "store": "receipts", "till": "sale"}
    files = written(tmp_path, who)
    (transfer,) = (
        slot["table"] for slot in json.loads(files["configuration.json"])["shop"]["slots"] if slot["slot"] == "transfer"
    )
    assert transfer.keys() == {"host", "user", "password", "path", "host_key"}
    assert [transfer[key][0] for key in ("host", "user", "path", "host_key")] == ["~"] * 4
    assert transfer["password"] == "***"
    keys = {each["key"] for each in json.loads(files["findings.json"])}
    assert "pipelines.shop.transport.api_key" in keys, "a key of the format stays"
    sale, held = lines(files["pipelines/shop/receipts.jsonl"])
    assert sale["store"] == held["store"] != "receipts"
    assert sale["till"].startswith("~")
    events = lines(files["pipelines/shop/events.jsonl"])
    reason = next(each["detail"]["reason"] for each in events if "reason" in each["detail"])
    assert "delivered" not in reason
    assert reason.endswith(" is no number")


def test_two_bundles_have_other_pseudonyms(tmp_path: Path) -> None:
    one, other = (lines(written(tmp_path / name, WHO)["pipelines/shop/receipts.jsonl"]) for name in made(tmp_path))
    assert one[0]["id"] != other[0]["id"]


def made(folder: Path) -> tuple[str, str]:
    (folder / "a").mkdir()
    (folder / "b").mkdir()
    return "a", "b"


@given(values=st.sets(st.text(min_size=1), min_size=2, max_size=50))
def test_a_pseudonym_is_of_one_value_and_a_value_has_one(values: set[str]) -> None:
    names = Pseudonyms()
    assert len({names.of(value) for value in values}) == len(values)
    assert [names.of(value) for value in values] == [names.of(value) for value in values]
    assert names.of("") == ""


@pytest.mark.parametrize(
    "first_name", ["Anna", "Erik", "Maria", "Lars", "Eva", "Johan", "Karin", "Nils", "Kari", "Ole"]
)
def test_no_first_name_is_among_the_words_a_text_keeps(first_name: str) -> None:
    assert first_name not in WORDS


def test_the_command_writes_it_once_and_for_its_owner_alone(tmp_path: Path) -> None:
    written(tmp_path, WHO)
    out = tmp_path / "case.zip"
    words = ["--config", str(tmp_path / "tillpost.toml"), "bundle", "--out", str(out)]
    result = CliRunner().invoke(cli, [*words, "--json"])
    assert result.exit_code == 0, result.exception
    assert "pipelines/shop/receipts.jsonl" in json.loads(result.stdout)["contents"]
    assert out.stat().st_mode & 0o077 == 0
    again = CliRunner().invoke(cli, words)
    assert again.exception is not None
    assert "exists; name another file" in str(again.exception)


def test_a_configuration_that_cannot_be_read_is_told_and_nothing_more(tmp_path: Path) -> None:
    file = tmp_path / "tillpost.toml"
    file.write_text("[pipelines.shop]\nadapter = 3\n")
    out = tmp_path / "case.zip"
    result = CliRunner().invoke(cli, ["--config", str(file), "bundle", "--out", str(out)])
    assert result.exit_code == 0, result.exception
    with zipfile.ZipFile(out) as archive:
        assert set(archive.namelist()) == {"README.txt", "versions.json", "findings.json"}
