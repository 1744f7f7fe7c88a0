"""docs/recipes/returns.md, as it stands there: Engage has what came back with the signs it wants."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

from tests.support.recipe import Recipe, saved
from tillpost_sandbox import Sandbox


def test_returns(tmp_path: Path) -> None:
    with Sandbox(dir=tmp_path / "sandbox", api_key="test") as sandbox:
        here = {"https://TENANT.voyado.com": sandbox.url}
        with Recipe("returns.md", tmp_path, here, {"ENGAGE_API_KEY": "test"}) as recipe:
            shown = recipe.type("tillpost adapter try")
            assert '"grossPaidPrice": 50.00' in shown
            recipe.type("mkdir -p inbox")
            assert recipe.type("tillpost receipts").count("1001") == 1
            assert "skipped" in recipe.type("tillpost accept unknown.jsonl")
        there = {receipt["receiptNumber"]: receipt for receipt in saved(sandbox)}
    assert {number: receipt["totalGrossPrice"] for number, receipt in there.items()} == {
        "1001": "130.00",
        "1040": "-50.00",
        "1041": "20.00",
    }
    assert [
        (Decimal(str(item["quantity"])), Decimal(str(item["grossPaidPrice"])))
        for item in there["1041"]["body"]["items"]
    ] == [
        (Decimal(-1), Decimal(30)),
        (Decimal(1), Decimal(50)),
    ]
    assert len({receipt["contactId"] for receipt in there.values()}) == 1
