"""The promise suite, for pytest."""

from tillpost_corner.promises import TestCorner

__all__ = ["TestCorner"]
