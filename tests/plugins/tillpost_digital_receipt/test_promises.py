"""The promise suite, on the samples that ship with the adapter."""

from tillpost_digital_receipt.promises import TestDigitalReceipt

__all__ = ["TestDigitalReceipt"]
