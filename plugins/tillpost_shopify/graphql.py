"""Answers of Shopify's GraphQL Admin API in the shape of the REST API, which the rest of the adapter reads.

Only names and wrappings differ: `lineItems.edges[].node` for `line_items[]`, `gid://shopify/Order/1` for 1, money in
bags of two currencies. A field that a query did not ask for is missing, as in a REST body that lacks it.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from typing import Any

from tillpost import InvalidValue

Form = dict[str, Any]

_GID = "gid://shopify/"
_HUMP = re.compile(r"(?<=[a-z0-9])(?=[A-Z])")
_ORDER = frozenset(("lineItems", "displayFinancialStatus", "totalPriceSet"))
_CHILDREN = {"LineItem": "lineItems", "ShippingLine": "shippingLines", "Refund": "refunds"}
_CHILDREN |= {
    "RefundLineItem": "refundLineItems",
    "OrderTransaction": "transactions",
    "OrderAdjustment": "orderAdjustments",
}


def is_graphql(form: Form) -> bool:
    """Whether an object is an answer of the GraphQL API, or an order or refund out of one."""
    return isinstance(form.get("data"), dict) or "bulk" in form or _is_order(form) or _is_refund(form)


def graphql_records(form: Form, place: str) -> Iterator[tuple[Form, bool]]:
    """Each order and each refund of an answer, as it stands there, and whether it is a refund.

    Raises InvalidValue for an answer with errors and nothing else, and for one without orders.
    """
    if "bulk" in form:
        yield _assembled(form, place), False
        return
    found = False
    for node in _nodes(form.get("data", form)):
        found = True
        if node is not None:
            yield node, _is_refund(node) and not _is_order(node)
    if not found:
        raise InvalidValue("is an answer of the GraphQL API without orders or refunds", place=place)


def as_rest(node: Form, place: str, *, refund: bool) -> Form:
    """The body that REST has for an order or a refund. Raises InvalidValue where one has only a page of a list."""
    try:
        body = _snake(node)
    except InvalidValue as error:
        raise InvalidValue(str(error), place=place) from None
    if not isinstance(body, dict):
        raise InvalidValue("a list of orders has a list in the place of an order", place=place)
    return _refund(body, "") if refund else _order(body)


def _is_order(form: Form) -> bool:
    return not _ORDER.isdisjoint(form) or _kind(form) == "Order"


def _is_refund(form: Form) -> bool:
    return "refundLineItems" in form or _kind(form) == "Refund"


def _kind(form: Form) -> str:
    """The type in the object's id: Order of gid://shopify/Order/1."""
    name = form.get("id")
    return name.removeprefix(_GID).partition("/")[0] if isinstance(name, str) and name.startswith(_GID) else ""


def _nodes(value: Any) -> Iterator[Form | None]:
    """The orders and refunds anywhere in an answer, not those inside an order; None for a list of them that is empty.

    What a list of orders or refunds has that is neither is an order of which everything is missing.
    """
    if isinstance(value, list):
        for item in value:
            yield from _nodes(item)
    elif isinstance(value, dict):
        if _is_order(value) or _is_refund(value):
            yield value
            return
        for name, item in value.items():
            listed = _listed(item) if name in ("orders", "refunds") else None
            if listed is None:
                yield from _nodes(item)
            elif not listed:
                yield None
            else:
                yield from (each if isinstance(each, dict) else {} for each in listed)


def _listed(value: Any) -> list[Any] | None:
    """What a list or a connection has; None for anything else."""
    if isinstance(value, dict) and isinstance(value.get("edges"), list):
        return [edge.get("node") if isinstance(edge, dict) else edge for edge in value["edges"]]
    inner = value.get("nodes") if isinstance(value, dict) else value
    return inner if isinstance(inner, list) else None


def _assembled(form: Form, place: str) -> Form:
    """An order of a bulk operation, whose lists stand in lines of their own that name their parent."""
    order = form["bulk"]
    if not isinstance(order, dict) or not isinstance(form.get("children"), list):
        raise InvalidValue("is no order of a bulk operation with its children", place=place)
    parents: dict[str, Form] = {str(order.get("id")): dict(order)}
    for child in form["children"]:
        if not isinstance(child, dict):
            raise InvalidValue("a line of the bulk operation is no object", place=place)
        name, parent = _CHILDREN.get(_kind(child)), parents.get(str(child.get("__parentId")))
        if parent is None:
            raise InvalidValue("a line of the bulk operation names a parent that is not in its order", place=place)
        if name is not None:
            own = {key: value for key, value in child.items() if key != "__parentId"}
            parents[str(child["id"])] = own
            before = parent.get(name)
            parent[name] = [*before, own] if isinstance(before, list) else [own]
    return parents[str(order.get("id"))]


def _snake(value: Any) -> Any:
    """Keys as REST writes them, connections as lists, gids as ids."""
    if isinstance(value, list):
        return [_snake(item) for item in value]
    if isinstance(value, str):
        return value.removeprefix(_GID).partition("/")[2].partition("?")[0] if value.startswith(_GID) else value
    if not isinstance(value, dict):
        return value
    page = value.get("pageInfo")
    if isinstance(page, dict) and page.get("hasNextPage") and ("edges" in value or "nodes" in value):
        raise InvalidValue("a list of the order has more pages than its first; ask for all of it")
    listed = _listed(value)
    if listed is not None:
        return [_snake(item) for item in listed]
    return {_HUMP.sub("_", key).lower(): _snake(item) for key, item in value.items()}


def _order(order: Form) -> Form:
    _lower(order, "display_financial_status", "financial_status")
    bag = _dict(order.get("total_price_set"))
    shop, paid = (_dict(bag.get(side)).get("currency_code") for side in ("shop_money", "presentment_money"))
    order.setdefault("currency", order.get("currency_code") or shop or paid)
    order.setdefault("presentment_currency", order.get("presentment_currency_code") or paid or order["currency"])
    rounding = _dict(order.get("total_cash_rounding_adjustment"))
    for name, side in (("payment", "payment_set"), ("refund", "refund_set")):
        if side in rounding:
            order.setdefault(f"total_cash_rounding_{name}_adjustment_set", rounding[side])
    _lift(order, "location_id", "retail_location", "physical_location", "location")
    customer = _dict(order.get("customer"))
    for name, holder, inner in (
        ("email", "default_email_address", "email_address"),
        ("phone", "default_phone_number", "phone_number"),
    ):
        if customer.get(name) is None and (value := _dict(customer.get(holder)).get(inner)) is not None:
            customer[name] = value
    for item in _dicts(order.get("line_items")):
        _line_item(item)
    lines = order.get("shipping_lines")
    if lines is None and (single := order.get("shipping_line") or order.get("total_shipping_price_set")):
        lines = [single if "shop_money" not in single and "presentment_money" not in single else {"price_set": single}]
        order["shipping_lines"] = lines
    for line in _dicts(lines):
        _rename(line, "price_set", "original_price_set", "discounted_price_set")
        _allocations(line)
    for transaction in _dicts(order.get("transactions")):
        _transaction(transaction)
    for refund in _dicts(order.get("refunds")):
        _refund(refund, order.get("id"))
    return order


def _line_item(item: Form) -> None:
    _rename(item, "price_set", "original_unit_price_set", "discounted_unit_price_set")
    _rename(item, "gift_card", "is_gift_card")
    _lift(item, "variant_id", "variant")
    _lift(item, "product_id", "product")
    if not item.get("sku") and (sku := _dict(item.get("variant")).get("sku")):
        item["sku"] = sku
    _allocations(item)


def _allocations(item: Form) -> None:
    for allocation in _dicts(item.get("discount_allocations")):
        _rename(allocation, "amount_set", "allocated_amount_set")


def _transaction(transaction: Form) -> None:
    for name in ("kind", "status"):
        _lower(transaction, name, name)
    details = _dict(transaction.get("payment_details"))
    _rename(details, "credit_card_company", "company")


def _refund(refund: Form, order_id: Any) -> Form:
    if order_id:
        refund.setdefault("order_id", order_id)
    _lift(refund, "order_id", "order")
    for entry in _dicts(refund.get("refund_line_items")):
        _lower(entry, "restock_type", "restock_type")
        _lift(entry, "location_id", "location")
        _lift(entry, "line_item_id", "line_item")
        _line_item(_dict(entry.get("line_item")))
    for transaction in _dicts(refund.get("transactions")):
        _transaction(transaction)
    return refund


def _lower(form: Form, source: str, target: str) -> None:
    if isinstance(value := form.get(source), str):
        form[target] = value.lower()


def _rename(form: Form, target: str, *sources: str) -> None:
    for source in sources:
        if form.get(target) is None and form.get(source) is not None:
            form[target] = form[source]


def _lift(form: Form, target: str, *holders: str) -> None:
    """The id of an object inside, as the member REST has for it."""
    for holder in holders:
        if form.get(target) is None and (value := _dict(form.get(holder)).get("id")) is not None:
            form[target] = value


def _dict(value: Any) -> Form:
    return value if isinstance(value, dict) else {}


def _dicts(value: Any) -> list[Form]:
    return [item for item in value if isinstance(item, dict)] if isinstance(value, list) else []
