"""The promise suite, for pytest."""

from tillpost_square.promises import TestSquare

__all__ = ["TestSquare"]
