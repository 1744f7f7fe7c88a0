"""Members of JSON that was made of XML: each value a text, a list of one without its list, "" for nothing."""

from __future__ import annotations

from typing import Any, Self

from tillpost.errors import InvalidValue
from tillpost.kit.json.values import JsonObject
from tillpost.model.json_values import kind_of

_TRUTHS = {"true": True, "1": True, "false": False, "0": False, "": False}


class XmlJsonObject(JsonObject):
    """A JsonObject that also reads what a converter from XML writes.

    "true" and "false" are booleans, one object stands for a list of one, and "" (an empty element) for a missing
    object or list. Values of real JSON are read as JsonObject reads them.
    """

    def boolean(self, name: str) -> bool:
        """true, false, "true", "false", "1", "0"; missing or empty is false."""
        value = self.values.get(name)
        if isinstance(value, str) and value.lower() in _TRUTHS:
            return _TRUTHS[value.lower()]
        return super().boolean(name)

    def object(self, name: str) -> Self | None:
        """An object; None when it is missing or empty."""
        return None if self._is_empty(name) else super().object(name)

    def objects(self, name: str) -> list[Self]:
        """A list of objects, or its only object; missing or empty is no object."""
        value = self.values.get(name)
        if self._is_empty(name):
            return []
        if isinstance(value, dict):
            return [type(self)(value, f"{self.place}.{name}")]
        return super().objects(name)

    def within(self, outer: str, name: str) -> list[Self]:
        """The objects of an element that only holds a list (`"SaleLines": {"SaleLine": [...]}`)."""
        wrapper = self.object(outer)
        return [] if wrapper is None else wrapper.objects(name)

    def _is_empty(self, name: str) -> bool:
        value: Any = self.values.get(name)
        if isinstance(value, str):
            if value.strip():
                raise InvalidValue(f"must be an object or a list, and {kind_of(value)}", place=f"{self.place}.{name}")
            return True
        return value is None
