"""The promise suite of a resolver that asks nobody."""

from tillpost.testing import MemorySuite


class TestKnown(MemorySuite):
    plugin = "known"
