"""`tillpost diff` and `tillpost mapping`: real changes of a configuration, with real adapters and Engage's mapping."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import apsw
import pytest
from click.testing import CliRunner, Result

from tillpost.cli import cli
from tillpost.cli.pipelines import opened_lines
from tillpost.compose.config import load
from tillpost.compose.mapping import fingerprint
from tillpost.errors import UsageError
from tillpost.flow.upkeep import mapping_guard

CONFIG = """\
[pipelines.shop]
guard     = "hold"
adapter   = { use = "table", timezone = "Europe/Stockholm", date = "%Y-%m-%d %H:%M", columns = { number = "no", \
store = "store", till = "till", created = "at", sku = "sku", quantity = "qty", paid = "paid", article_name = "what" }, \
constants = { currency = "SEK" }, customer = { email = "who", firstName = "name" } }
resolve   = { use = "known" }
map       = { use = "engage" }
transport = { use = "engage", url = "http://127.0.0.1:9", api_key = "very-secret-key" }
"""
ROWS = [
    f"{no},12,1,2026-11-24 10:0{no},a-{no},735{no},2,{no}0.00,Kaffe,eva.lind@example.se,Eva\n" for no in range(1, 6)
]


@pytest.fixture
def shop(tmp_path: Path) -> Path:
    file = tmp_path / "tillpost.toml"
    file.write_text(CONFIG)
    (tmp_path / "day.csv").write_text("no,store,till,at,sku,ean,qty,paid,what,who,name\n" + "".join(ROWS))
    start(file)
    assert call(file, "accept", str(tmp_path / "day.csv")).exit_code == 0
    return file


def start(file: Path) -> None:
    """As far as `run` goes before its threads."""
    config = load(file)
    with opened_lines(config, list(config.pipelines)) as (line,):
        mapping_guard.start(line)
        mapping_guard.run_round(line)


def call(file: Path, *words: str) -> Result:
    return CliRunner().invoke(cli, ["--config", str(file), *words])


def diff(file: Path, *words: str) -> tuple[int, dict[str, Any]]:
    result = call(file, "diff", "--json", *words)
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exception
    answer: dict[str, Any] = json.loads(result.stdout)
    return result.exit_code, answer


def change(file: Path, old: str, new: str) -> None:
    text = file.read_text()
    assert old in text
    file.write_text(text.replace(old, new))


def fields(answer: dict[str, Any]) -> dict[str, int]:
    return {each["field"]: each["receipts"] for each in answer["fields"]}


def test_no_change_is_none(shop: Path) -> None:
    code, answer = diff(shop)
    assert (code, answer["compared"], answer["changed"], answer["fields"]) == (0, 5, 0, [])


@pytest.mark.parametrize("started", [False, True], ids=["before its start", "while it waits for its release"])
def test_a_setting_of_the_adapter_shows_what_it_would_change(shop: Path, started: bool) -> None:
    change(shop, 'sku = "sku"', 'sku = "ean"')
    if started:
        start(shop)
        more = shop.with_name("more.csv")
        more.write_text(
            shop.with_name("day.csv").read_text().splitlines()[0] + "\n" + ROWS[0].replace("1,12", "9,12", 1)
        )
        assert call(shop, "accept", str(more)).exit_code == 0
    code, answer = diff(shop)
    count = 6 if started else 5
    assert (code, answer["compared"], answer["changed"]) == (1, count, count)
    assert fields(answer) == {"items[].sku": count, "items[].articleNumber": count}
    assert "as the journal remembers it" in answer["before"]
    assert answer["fields"][0]["examples"][0]["before"] == "x-9"
    assert answer["fields"][0]["examples"][0]["after"] == "9999"


def test_amounts_are_compared_as_numbers_and_the_mapping_counts(shop: Path) -> None:
    change(shop, 'map       = { use = "engage" }', 'map       = { use = "engage", price_basis = "unit" }')
    _, answer = diff(shop)
    assert fields(answer) == {"items[].grossPaidPrice": 5}
    shown = answer["fields"][0]["examples"][0]
    assert (shown["before"], shown["after"]) == ("10.00", "5.00")


def test_against_another_file_and_last_receipts_only(shop: Path) -> None:
    other = shop.with_name("other.toml")
    other.write_text(CONFIG.replace("Europe/Stockholm", "Europe/Helsinki"))
    code, answer = diff(shop, "--against", str(other), "--last", "2")
    assert (code, answer["compared"], fields(answer)) == (1, 2, {"createdDate": 2})
    shown = answer["fields"][0]["examples"][0]
    assert (shown["before"][-6:], shown["after"][-6:]) == ("+02:00", "+01:00")


def test_personal_data_is_masked_unless_asked_for(shop: Path) -> None:
    change(shop, 'article_name = "what"', 'article_name = "who"')
    change(shop, 'firstName = "name"', 'firstName = "what"')
    masked = call(shop, "diff").stdout
    assert "customer firstName" in masked
    assert "eva.lind" not in masked
    assert "Eva" not in masked
    assert "eva.lind@example.se" in call(shop, "diff", "--unmasked").stdout


def test_of_another_version_the_receipts_as_it_read_them_are_compared(shop: Path) -> None:
    """The old code is not at hand: the journal tells how it read them, and that is said."""
    known = apsw.Connection(str(shop.parent / "state" / "shop" / "journal.db"))
    known.execute(
        "UPDATE mappings SET what = replace(what, '\"tillpost\": \"', '\"tillpost\": \"0.0.'), fingerprint = 'old'"
    )
    known.close()
    change(shop, 'sku = "sku"', 'sku = "ean"')
    code, answer = diff(shop)
    assert "cannot be built again (it was Tillpost 0.0." in answer["before"]
    assert (code, answer["changed"]) == (1, 5)


def test_what_is_no_receipt_any_more_is_told(shop: Path) -> None:
    change(shop, 'customer = { email = "who"', 'skip = { what = { Kaffe = "training" } }, customer = { email = "who"')
    _, answer = diff(shop)
    assert answer["changed"] == 5
    shown = next(each for each in answer["fields"] if each["field"] == "outcome")["examples"][0]
    assert (shown["before"], shown["after"]) == ("sent", "ignored: no sale")


def test_the_fingerprint_is_of_what_is_meant_and_not_of_how_it_is_written(shop: Path) -> None:
    before = fingerprint(load(shop).pipelines[0])
    change(shop, 'map       = { use = "engage" }', 'map       = { price_basis = "line", use = "engage" }')
    change(shop, "127.0.0.1:9", "127.0.0.1:8")
    assert fingerprint(load(shop).pipelines[0]) == before
    change(shop, '"line"', '"unit"')
    assert fingerprint(load(shop).pipelines[0]) != before


def test_a_release_is_of_the_mapping_that_was_looked_at(shop: Path) -> None:
    assert isinstance(call(shop, "mapping", "release").exception, UsageError), "none waits"
    change(shop, 'sku = "sku"', 'sku = "ean"')
    start(shop)
    shown = call(shop, "mapping", "show", "--json")
    assert shown.exit_code == 1
    first, second = [json.loads(line) for line in shown.stdout.splitlines()]
    assert (first["waits"], second["waits"], second["held"]) == (False, True, 5)
    assert "very-secret-key" not in shown.stdout
    assert isinstance(call(shop, "mapping", "release", "0123456789ab").exception, UsageError)
    assert "5 held receipts" in call(shop, "mapping", "release", second["fingerprint"]).stdout
    assert call(shop, "mapping", "show").exit_code == 0
    assert call(shop, "held", "list").exit_code == 0


def test_a_guard_that_is_turned_off_releases(shop: Path) -> None:
    change(shop, 'sku = "sku"', 'sku = "ean"')
    start(shop)
    assert call(shop, "held", "list").exit_code == 1
    change(shop, 'guard     = "hold"', 'guard     = "off"')
    start(shop)
    assert call(shop, "held", "list").exit_code == 0
