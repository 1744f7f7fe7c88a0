"""The promise suite, on the samples that ship with the adapter."""

from tillpost_saft_no.promises import TestSaftNo

__all__ = ["TestSaftNo"]
