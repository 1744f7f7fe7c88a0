"""The promise suite, on the samples that ship with the adapter."""

from tillpost_poslog.promises import TestPoslog

__all__ = ["TestPoslog"]
