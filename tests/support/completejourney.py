"""The baskets of completejourney as Tillpost JSON lines; tender, currency and zone are made up, for it has none."""

import gzip
import json
from collections.abc import Iterator
from datetime import datetime
from decimal import Decimal
from pathlib import Path
from zoneinfo import ZoneInfo


def receipts(path: Path) -> Iterator[str]:
    """One receipt a line; a household is the customer `household-N`."""
    with gzip.open(path, "rt") as file:
        for basket in map(json.loads, file):
            created = datetime.fromisoformat(basket["transaction_timestamp"]).replace(
                tzinfo=ZoneInfo("America/New_York")
            )
            lines = [
                {"sku": str(line["product_id"]), "quantity": str(line["quantity"]), "paid": line["sales_value"],
                 "kind": "adjustment" if line["quantity"] <= 0 or Decimal(line["sales_value"]) < 0 else "purchase"}
                for line in basket["lines"]
            ]  # fmt: skip
            total = str(sum((Decimal(line["paid"]) for line in lines), Decimal(0)))
            yield json.dumps({
                "number": str(basket["basket_id"]), "store": str(basket["store_id"]), "till": "1", "currency": "USD",
                "created": created.isoformat(), "business_date": created.date().isoformat(),
                "total": total, "lines": lines, "tenders": [{"type": "card", "amount": total}],
                "customer": {"identifiers": [{"kind": "externalId", "value": f"household-{basket['household_id']}"}]},
            })  # fmt: skip
