"""The promise suite, on the samples that ship with the adapter."""

from tillpost_dsfinvk.promises import TestDsfinvk

__all__ = ["TestDsfinvk"]
