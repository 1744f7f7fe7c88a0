"""docs/recipes/second-brand.md, as it stands there: each tenant has the receipt of its brand, and no other."""

from __future__ import annotations

from pathlib import Path

from tests.support.recipe import Recipe, saved
from tillpost_sandbox import Sandbox


def test_a_second_brand(tmp_path: Path) -> None:
    with (
        Sandbox(dir=tmp_path / "sandbox-north", api_key="n") as north,
        Sandbox(dir=tmp_path / "sandbox-south", api_key="s") as south,
    ):
        here = {"https://NORTH.voyado.com": north.url, "https://SOUTH.voyado.com": south.url}
        with Recipe("second-brand.md", tmp_path, here, {"NORTH_API_KEY": "n", "SOUTH_API_KEY": "s"}) as recipe:
            assert "80.00" in recipe.type("mkdir -p north/inbox")
            recipe.type("cp north.jsonl")
            listed = recipe.type("tillpost receipts --pipeline north")
            assert ("1001" in listed, "1-1001" in listed) == (True, True)
        brands = [[(each["receiptNumber"], each["currency"]) for each in saved(one)] for one in (north, south)]
    assert brands == [[("1001", "SEK")], [("1-1001", "DKK")]]
