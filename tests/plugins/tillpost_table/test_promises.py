"""The promise suite, on the samples that ship with the adapter."""

from tillpost_table.promises import TestTable

__all__ = ["TestTable"]
