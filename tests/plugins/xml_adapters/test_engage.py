"""The receipts of the samples on their way to Engage: none is refused by the mapping, and each adds up there, too."""

from __future__ import annotations

from decimal import Decimal

import pytest

from tests.plugins.xml_adapters.tills import TILLS, Till
from tillpost.model import Found, Identifier
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings


@pytest.mark.parametrize("price_basis", ["line", "unit"])
@pytest.mark.parametrize("till", TILLS, ids=lambda till: str(till.name))
def test_every_receipt_of_the_samples_maps_and_adds_up(till: Till, price_basis: str) -> None:
    mapping = Mapping(MapSettings(price_basis=price_basis))  # type: ignore[arg-type]
    mapped = 0
    for path in till.folder.glob("*.xml"):
        for found in till.parse(path):
            if not isinstance(found, Found):
                continue
            fields = mapping.map_receipt(found.receipt, Identifier("email", "a@example.com")).fields
            total = Decimal(0)
            for item in fields["items"]:
                pieces = item["quantity"] if price_basis == "unit" else (1 if item["quantity"] > 0 else -1)
                total += pieces * item["grossPaidPrice"]
                assert item["grossPaidPrice"] >= 0
                assert {"PURCHASE": item["quantity"] > 0, "RETURN": item["quantity"] < 0}.get(item["type"], True)
            assert total == fields["totalGrossPrice"]
            assert sum(paid["value"] for paid in fields["paymentMethods"]) == fields["totalGrossPrice"]
            mapped += 1
    assert mapped >= 10
