"""XML documents changed by their structure."""

from __future__ import annotations

import copy
import random
from collections.abc import Callable

from lxml import etree
from lxml.etree import _Element

from tests.fuzzing.values import changed_text

_PARSER = etree.XMLParser(resolve_entities=False, no_network=True, huge_tree=False)
_NAMES = ("VoidFlag", "CancelFlag", "Extra", "LineItem", "Sale", "Tender", "Total", "Amount", "Quantity")


def read(content: bytes) -> _Element:
    """The root of a document. Raises etree.XMLSyntaxError."""
    return etree.fromstring(content, _PARSER)


def change(
    root: _Element, chance: random.Random, others: list[_Element], is_fixed: Callable[[_Element], bool]
) -> _Element:
    """The tree with one change, in place; the root may be another."""
    elements = [each for each in root.iter() if isinstance(each.tag, str) and not is_fixed(each)]
    if not elements:
        return root
    element = chance.choice(elements)
    parent = element.getparent()
    kind = chance.random()
    if kind < 0.40:
        leaves = [each for each in elements if len(each) == 0]
        leaf = chance.choice(leaves) if leaves else element
        _set(leaf, changed_text(leaf.text or "", chance))
    elif kind < 0.50 and element.attrib:
        name = chance.choice(list(element.attrib))
        _put(
            element,
            str(name),
            chance.choice(("", "true", "false", "Refund", "x", changed_text(str(element.attrib[name]), chance))),
        )
    elif kind < 0.55 and element.attrib:
        del element.attrib[chance.choice(list(element.attrib))]
    elif kind < 0.60:
        _put(
            element,
            chance.choice(("VoidFlag", "CancelFlag", "TypeCode", "Action", "Currency")),
            chance.choice(("true", "1", "Void")),
        )
    elif kind < 0.68 and parent is not None:
        parent.remove(element)
    elif kind < 0.76 and parent is not None:
        for _ in range(chance.choice((1, 1, 2, 20))):
            parent.insert(chance.randrange(len(parent) + 1), copy.deepcopy(element))
    elif kind < 0.82:
        namespace = etree.QName(element).namespace if chance.random() < 0.7 else "urn:x"
        element.tag = etree.QName(namespace, chance.choice((*_NAMES, etree.QName(element).localname.upper())))
    elif kind < 0.88:
        _comment(element, chance)
    elif kind < 0.92 and parent is not None:
        target = chance.choice(elements)
        if target is not element and element not in list(target.iterancestors()):
            target.append(element)
    elif kind < 0.95 and parent is not None:
        shell = etree.Element("{urn:x}Shell")
        parent.replace(element, shell)
        shell.append(element)
    elif kind < 0.98 and others:
        found = [each for each in chance.choice(others).iter(str(element.tag)) if not is_fixed(each)]
        if found and parent is not None:
            parent.replace(element, copy.deepcopy(chance.choice(found)))
    else:
        inner = element
        for _ in range(chance.choice((3, 60, 200))):
            inner = etree.SubElement(inner, element.tag)
    return root


def _set(element: _Element, text: str) -> None:
    try:
        element.text = text
    except ValueError:  # a character that no XML may have
        element.text = "x"


def _put(element: _Element, name: str, text: str) -> None:
    try:
        element.set(name, text)
    except ValueError:
        element.set(name, "x")


def _comment(element: _Element, chance: random.Random) -> None:
    """A comment or a processing instruction inside the element, at its beginning or within its text."""
    node = etree.Comment("x") if chance.random() < 0.6 else etree.ProcessingInstruction("x", "y")
    text = element.text or ""
    at = chance.randrange(len(text) + 1)
    element.text, node.tail = text[:at] or None, text[at:] or None
    element.insert(0, node)


def write(root: _Element, chance: random.Random) -> bytes:
    """The document, in one of the encodings that it may say."""
    encoding = chance.choice(("utf-8",) * 6 + ("utf-16", "iso-8859-1", "us-ascii"))
    return bytes(etree.tostring(root, encoding=encoding, xml_declaration=chance.random() < 0.8))
