"""The promise suite, on the samples that ship with the adapter."""

from tillpost_saft_cash.promises import TestSaftCash

__all__ = ["TestSaftCash"]
