"""The page docs/vendors/model.md, from the docstrings of `tillpost.model`.

Write it again with `python -m tests.support.model_page`.
"""

from __future__ import annotations

import ast
import inspect
import re
import sys
from collections.abc import Iterator, Mapping
from enum import Enum
from itertools import pairwise
from pathlib import Path
from typing import Any

import attrs

from tillpost import model
from tillpost.model import identifier_rules, vocabulary

PAGE = Path(__file__).parents[2] / "docs" / "vendors" / "model.md"

HEAD = """\
# The model

Generated from the docstrings of `tillpost.model` by `python -m tests.support.model_page`; a test compares it. All
values are immutable, are created with the names of their fields, and are checked then: InvalidValue says which field of
which value is wrong, and what is right. What has one meaning is taken as it is meant: a list for a tuple, the text of a
kind, 0 for an amount, a whole number for a quantity or a percentage. An amount that is a float, a text or a whole
number is refused: `parse_decimal` and the other readers of `tillpost.kit` ([README.md](README.md)) make amounts.
`attrs.evolve(value, field=…)` makes a changed one, which is checked again.
"""
GROUPS: Mapping[str, tuple[str, tuple[str, ...]]] = {
    "The receipt": (
        "An amount is what it adds to the total: a returned line has a negative quantity and a negative `paid`,"
        " change is a negative tender.",
        ("Receipt", "Line", "LineKind", "Discount", "Tender", "Tax", "Promotion", "RawRef"),
    ),
    "The customer": ("", ("Customer", "Identifier", "Contact")),
    "Documents and records": (
        "A source hands on documents, an adapter yields of each its records.",
        ("Document", "DocumentTrouble", "Found", "NoReceipt", "Broken"),
    ),
    "Outcomes": (
        "What a hook of a source, resolver, transport or transfer answers; they are returned, not raised. What becomes"
        " of each: [hooks.md](../hooks.md).",
        (
            "Delivered", "NotSent", "MaybeSent", "Refused", "Misconfigured", "Throttled", "Gone", "Identified",
            "Conflict", "ReceiptRef", "History", "NoHistory", "NoHints", "Tenant",
        ),
    ),
    "What is sent": ("", ("Payload", "FallbackBatch", "FallbackFile", "WrittenFiles", "NotWritten")),
}  # fmt: skip
"""Every value of the model under a heading, with what stands before it."""
WORDS: Mapping[str, tuple[str, Mapping[str, str]]] = {
    "Payment types": ("`Tender.type`", vocabulary.TENDER_TYPES),
    "Discount types": ("`Discount.type`", vocabulary.DISCOUNT_TYPES),
    "Kinds of identifier": ("`Identifier.kind`", identifier_rules.FORMS),
    "Attributes of a customer": ("`Customer.attributes`", vocabulary.ATTRIBUTES),
    "Extra texts": ("`extra`", vocabulary.EXTRAS),
}
"""Heading → where the words stand, and each with its meaning."""


_COMMON = ("reason", "status", "retry_after")
"""Fields that a module explains once for its values."""


def entries(text: str, names: tuple[str, ...]) -> tuple[str, dict[str, str]]:
    """A docstring as its prose and what it says of each of these names, as "name: …" or "one, other: …"."""
    listed = "|".join(map(re.escape, names))
    begin = re.compile(rf"(?:(?<=[.;\n] )|(?<=\n)|^)((?:{listed})(?:, (?:{listed}))*): ")
    prose, found = [], {}
    for paragraph in re.split(r"\n\s*\n", text):
        line = "\n" + re.sub(r"\s*\n\s*", "\n ", paragraph.strip())
        before, *rest = begin.split(line)
        if before.strip():
            prose.append(" ".join(before.split()))
        for said_of, said in zip(rest[::2], rest[1::2], strict=True):
            for name in said_of.split(", "):
                found[name] = " ".join(said.split()).rstrip(";")
    return "\n\n".join(prose), found


def meanings(kind: Any) -> tuple[str, dict[str, str]]:
    """The prose of a class, and what it, the text below a field, or its module says of each field."""
    names = tuple(field.name for field in attrs.fields(kind) if field.init)
    prose, found = entries(inspect.getdoc(kind) or "", names)
    common = entries(sys.modules[kind.__module__].__doc__ or "", (*names, *_COMMON))[1]
    return prose, common | dict(_below(kind)) | found


def _below(kind: Any) -> Iterator[tuple[str, str]]:
    body = next(each for each in ast.parse(inspect.getsource(kind)).body if isinstance(each, ast.ClassDef)).body
    for field, after in pairwise(body):
        if isinstance(field, ast.AnnAssign) and isinstance(after, ast.Expr) and isinstance(after.value, ast.Constant):
            yield ast.unparse(field.target), " ".join(str(after.value.value).split())


def fields(kind: Any) -> list[tuple[str, str, str, str]]:
    """Name, type, default ("needed" where there is none) and meaning of each field."""
    said = meanings(kind)[1]
    return [
        (field.name, str(field.type), _default(field.default), said.get(field.name, ""))
        for field in attrs.fields(kind)
        if field.init
    ]


def _default(given: Any) -> str:
    if given is attrs.NOTHING:
        return "needed"
    if isinstance(given, attrs.Factory):  # type: ignore[arg-type]
        return "`{}`" if given.factory is dict else "new"
    return f"`{given}`" if not isinstance(given, str) else '`""`' if not given else f"`{given}`"


def _table(heads: tuple[str, ...], rows: Iterator[tuple[str, ...]]) -> list[str]:
    lines = [" | ".join(heads), "|".join("---" for _ in heads)]
    lines += [" | ".join(cell.replace("|", "\\|") for cell in row) for row in rows]
    return [f"| {line} |" if "---" not in line else f"|{line}|" for line in lines]


def _value(name: str) -> Iterator[str]:
    kind = getattr(model, name)
    yield from (f"### {name}", "")
    if issubclass(kind, Enum):
        prose, said = entries(inspect.getdoc(kind) or "", tuple(each.value for each in kind))
        words = ((f"`{each.value}`", said[each.value]) for each in kind)
        yield from (prose, "", *_table(("text", "meaning"), words), "")
        return
    rows = ((f"`{field}`", f"`{of}`", default, said) for field, of, default, said in fields(kind))
    yield from (meanings(kind)[0], "", *_table(("field", "type", "default", "meaning"), rows), "")


def page() -> str:
    """The page's text."""
    lines = [HEAD]
    for heading, (intro, names) in GROUPS.items():
        lines += [f"## {heading}", "", *([intro, ""] if intro else [])]
        for name in names:
            lines += _value(name)
    lines += ["## Words", "", *_sentences(vocabulary.__doc__ or ""), ""]
    for heading, (place, words) in WORDS.items():
        rows = ((f"`{word}`", meaning) for word, meaning in words.items())
        lines += [f"### {heading}", "", f"In {place}.", "", *_table(("word", "meaning"), rows), ""]
    return "\n".join(lines).rstrip() + "\n"


def _sentences(text: str) -> list[str]:
    return [" ".join(paragraph.split()) for paragraph in text.strip().split("\n\n")[1:]]


if __name__ == "__main__":
    PAGE.write_text(page(), encoding="utf-8")
