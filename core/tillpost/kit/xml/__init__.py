"""XML of tills, read safely and one record at a time, by local names. Loads lxml; `tillpost.kit` alone does not."""

from tillpost.kit.xml.decoding import Encoding, detect_encoding, record_flags
from tillpost.kit.xml.element import (
    amount,
    attribute,
    child,
    children,
    decimal,
    is_true,
    local_name,
    normalize_space,
    place,
    text,
)
from tillpost.kit.xml.stream import XmlFormat, XmlRecord, as_document, xml_records

__all__ = [
    "Encoding",
    "XmlFormat",
    "XmlRecord",
    "amount",
    "as_document",
    "attribute",
    "child",
    "children",
    "decimal",
    "detect_encoding",
    "is_true",
    "local_name",
    "normalize_space",
    "place",
    "record_flags",
    "text",
    "xml_records",
]
