"""The schemas, and the check of a written file against one, in constant memory."""

from __future__ import annotations

from collections.abc import Mapping
from importlib.resources import files
from pathlib import Path
from typing import Any
from xml.sax.saxutils import quoteattr

from lxml import etree

CONTACTS_NAMESPACE = "http://eClub.Schemas.ImportMember"


class InvalidFileError(ValueError):
    """A file that was written is not valid: a fault of Tillpost or of an XSLT. Names the line, never a value."""


def receipts_schema() -> etree.XMLSchema:
    """The schema of a receipts file; also of a single `transaction` element."""
    return etree.XMLSchema(etree.fromstring(_source("receipts.xsd")))


def contacts_schema(namespace: str, names: Mapping[str, str]) -> etree.XMLSchema:
    """The schema of a contacts file under the names that are set: name in the package → name in the file."""
    text = _source("contacts.xsd").decode()
    text = text.replace(f'"{CONTACTS_NAMESPACE}"', quoteattr(namespace))
    for plain, chosen in names.items():
        text = text.replace(f'<xs:element name="{plain}"', f'<xs:element name="\0{chosen}"')
    return etree.XMLSchema(etree.fromstring(text.replace("\0", "").encode()))


class _Nothing:
    """A parser's target that keeps nothing."""

    def close(self) -> None:
        """The end of the file."""


def check_file(path: Path, schema: etree.XMLSchema | None = None, record: str | None = None) -> None:
    """Read the file once, by the schema if there is one. Raises InvalidFileError.

    record: the tag of the elements there are many of; each is freed once it was read.
    """
    limits: Any = {"resolve_entities": False, "no_network": True, "huge_tree": True}
    try:
        with path.open("rb") as file:
            if schema is None:
                parser: Any = etree.XMLParser(target=_Nothing(), **limits)  # type: ignore[call-overload] # no methods
                while block := file.read(1 << 18):
                    parser.feed(block)
                parser.close()
                return
            for _, element in etree.iterparse(file, events=("end",), tag=record, schema=schema, **limits):
                parent = element.getparent()
                if record is not None and parent is not None:
                    element.clear()
                    while element.getprevious() is not None:
                        del parent[0]
    except etree.XMLSyntaxError as error:
        line = error.position[0] if error.position else 0
        raise InvalidFileError(f"{path.name}: not valid at line {line}") from None


def _source(name: str) -> bytes:
    return (files("tillpost_engage") / "xsd" / name).read_bytes()
