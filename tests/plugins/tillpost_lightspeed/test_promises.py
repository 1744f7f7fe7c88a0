"""The promise suite, on the samples that ship with the adapter."""

from tillpost_lightspeed.promises import TestLightspeed

__all__ = ["TestLightspeed"]
