"""From a document of Square to receipts. Pure: what it needs is in its arguments."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from tillpost import DocumentError, InvalidValue
from tillpost.kit import MakeId
from tillpost.model import Broken, Document, Found, NoReceipt, Parsed, RawRef
from tillpost_square.order import read_order
from tillpost_square.settings import Settings

NOT_PAID = {"OPEN": "suspended: not paid yet", "DRAFT": "suspended: not paid yet", "CANCELED": "voided"}


def parse(document: Document, settings: Settings, make_id: MakeId) -> Iterator[Parsed]:
    """Every order as Found, NoReceipt or Broken. Raises DocumentError for what is no JSON."""
    for number, (answer, raw) in enumerate(_answers(document), start=1):
        place = f"answer {number}"
        if not isinstance(answer, dict):
            yield Broken(reason=f"{place}: is no answer of Square", place=place, raw=raw)
            continue
        orders = [*_listed(answer, "orders"), *_listed(answer, "order")]
        for position, order in enumerate(orders, start=1):
            where = place if len(orders) == 1 else f"{place}, order {position}"
            source = RawRef(sha256=document.sha256, document=document.name, place=where)
            yield _parsed(order, answer, source, settings, make_id)
        if not orders:
            yield NoReceipt(reason=_what(answer), place=place, retail=False)


def _parsed(order: Any, answer: Any, source: RawRef, settings: Settings, make_id: MakeId) -> Parsed:
    # A record of its own, that reads alone: the order, and what Square said beside it.
    beside = {name: answer[name] for name in ("payments", "refunds") if name in answer}
    raw = json.dumps({"order": order, **beside}, ensure_ascii=False).encode("utf-8", "backslashreplace")
    number = str(order.get("id", "")) if isinstance(order, dict) else ""
    try:
        if (state := order.get("state")) in NOT_PAID:
            return NoReceipt(reason=NOT_PAID[state], place=source.place, retail=True, number=number)
        if any(tender.get("type") == "NO_SALE" for tender in order.get("tenders", [])):
            return NoReceipt(reason="no sale", place=source.place, retail=False, number=number)
        return Found(receipt=read_order(order, answer, source, settings, make_id), raw=raw)
    except InvalidValue as error:
        reason = str(error)
    except KeyError as error:
        reason = f"an order needs its {error.args[0]}"
    except (AttributeError, TypeError):  # another shape than Square documents
        reason = "has another shape than an order of Square"
    return Broken(reason=f"{source.place}: {reason}", place=source.place, raw=raw, number=number)


def _answers(document: Document) -> Iterator[tuple[Any, bytes]]:
    """The whole document as one answer, or each of its lines."""
    with document.open() as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise DocumentError(f"is not UTF-8 at byte {error.start + 1}", document.name) from None
    whole = _json(text)
    if whole is not None:
        yield whole, content
        return
    lines = [line for line in text.splitlines() if line.strip()]
    if not lines or _json(lines[0]) is None:
        raise DocumentError("is no JSON of Square", document.name)
    for line in lines:
        yield _json(line), line.encode()


def _json(text: str) -> Any:
    """The value; None for what is no JSON, or is nested too deep to be read."""
    try:
        return json.loads(text)
    except (ValueError, RecursionError):
        return None


def _listed(answer: dict[str, Any], name: str) -> list[Any]:
    value = answer.get(name, [])
    return value if isinstance(value, list) else [value]


def _what(answer: dict[str, Any]) -> str:
    for word in ("payment", "refund"):
        if word in answer or f"{word}s" in answer:
            return f"a {word} without its order"
    return "an answer without orders"
