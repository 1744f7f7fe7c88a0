"""Every sample of the adapters in Engage's shape, and the settings their READMEs show."""

import re
import tomllib
from collections.abc import Callable, Iterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

import tillpost_dsfinvk
import tillpost_shopify
import tillpost_square
import tillpost_table
import tillpost_zettle
from tests.support.adapter import parse, settings
from tillpost import Plugin
from tillpost.model import Found, Identifier, Receipt
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings

MODULES: list[Any] = [tillpost_dsfinvk, tillpost_shopify, tillpost_square, tillpost_zettle, tillpost_table]
NEEDED = {
    "tillpost_square": 'timezone = "Europe/Stockholm"',
    "tillpost_dsfinvk": "",
    "tillpost_shopify": 'store = "web"',
    "tillpost_zettle": 'timezone = "Europe/Stockholm"',
}
MATCH = Identifier("externalId", "K-1")


def samples(module: Any, folder: Path) -> Iterator[Receipt]:
    """The receipts of every sample, by the mapping beside it where there is one."""
    for path in sorted((Path(module.__file__).parent / "samples").iterdir()):
        if path.is_file() and path.suffix != ".toml":
            mapping = path.with_suffix(".toml")
            given = settings(module.plugin, mapping if mapping.exists() else NEEDED[module.__name__], folder)
            yield from (record.receipt for record in parse(module.plugin, path, **given) if isinstance(record, Found))


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
@pytest.mark.parametrize("basis", ["line", "unit"])
def test_what_engage_gets_of_the_samples_adds_up(module: Any, basis: Any, tmp_path: Path) -> None:
    kinds, linked = set(), list[str]()
    for receipt in samples(module, tmp_path):
        body: Any = Mapping(MapSettings(price_basis=basis)).map_receipt(receipt, MATCH).fields
        assert body["uniqueReceiptId"] == receipt.id
        assert sum(payment["value"] for payment in body["paymentMethods"]) == body["totalGrossPrice"] == receipt.total
        summed = Decimal(0)
        for item in body["items"]:
            assert item["grossPaidPrice"] >= 0
            assert item["type"] != "RETURN" or item["quantity"] < 0
            linked += [entry["value"] for entry in item.get("extraData", []) if entry["name"] == "originalReceipt"]
            assert all(discount["value"] < 0 for discount in item.get("discounts", []))
            times = item["quantity"] if basis == "unit" else (-1 if item["quantity"] < 0 else 1)
            summed += times * item["grossPaidPrice"]
            kinds.add(item["type"])
        assert summed == receipt.total
    assert linked
    assert kinds == {"PURCHASE", "RETURN", "ADJUSTMENT"}


SHOWN: dict[str, Callable[[Receipt], bool]] = {
    "customer": lambda receipt: receipt.customer is not None,
    "sequence": lambda receipt: receipt.number.isdigit(),
    "linked returns": lambda receipt: any("originalReceipt" in line.extra for line in receipt.lines),
    "discounts": lambda receipt: any(line.discounts for line in receipt.lines),
    "taxes": lambda receipt: len(receipt.taxes) > 1,
    "tenders": lambda receipt: len({tender.type for tender in receipt.tenders}) > 1,
}


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_samples_show_each_capability_that_is_declared(module: Any, tmp_path: Path) -> None:
    receipts = list(samples(module, tmp_path))
    for capability in module.plugin.capabilities:
        assert any(SHOWN[capability](receipt) for receipt in receipts), capability
    if "customer" not in module.plugin.capabilities:
        assert not any(receipt.customer for receipt in receipts)


@pytest.mark.parametrize("module", MODULES, ids=lambda module: module.__name__)
def test_the_settings_a_readme_shows_are_taken(module: Any, tmp_path: Path) -> None:
    readme = (Path(module.__file__).parent / "README.md").read_text(encoding="utf-8")
    found = re.search(r"^```toml\n(.*?)^```$", readme, re.M | re.S)
    assert found is not None
    table: Any = tomllib.loads(found[1])
    table = table["pipelines"]["shop"]["adapter"] if "pipelines" in table else table["adapter"]
    assert f"tillpost_{table.pop('use')}" == module.__name__
    given = settings(module.plugin, table, tmp_path)
    assert table.keys() <= given.keys()
    if module is tillpost_table:
        _same_sale(module.plugin, given)


def _same_sale(plugin: Plugin, given: dict[str, Any]) -> None:
    sale = parse(plugin, Path(str(tillpost_table.__file__)).parent / "samples" / "butik.csv", **given)[0]
    assert isinstance(sale, Found)
    assert sale.receipt.total == Decimal("1059.50")
