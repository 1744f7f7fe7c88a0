"""XML of tills, read safely and one record at a time, by local names. Loads lxml; `tillpost.kit` alone does not."""

from tillpost.kit.xml.clean import Encoding, detect, flags
from tillpost.kit.xml.element import amount, attribute, child, children, decimal, flag, local, place, text, tidy
from tillpost.kit.xml.stream import Form, Record, document_of, records

__all__ = [
    "Encoding",
    "Form",
    "Record",
    "amount",
    "attribute",
    "child",
    "children",
    "decimal",
    "detect",
    "document_of",
    "flag",
    "flags",
    "local",
    "place",
    "records",
    "text",
    "tidy",
]
