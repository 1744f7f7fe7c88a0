"""The promise suite, on the samples that ship with the adapter."""

from tillpost_receipts.promises import TestReceipts

__all__ = ["TestReceipts"]
