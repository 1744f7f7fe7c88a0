"""The promise suite, on the samples that ship with the adapter."""

from tillpost_square.promises import TestSquare

__all__ = ["TestSquare"]
