"""The promise suite, on the samples that ship with the adapter."""

from tillpost_zettle.promises import TestZettle

__all__ = ["TestZettle"]
