"""The promise suite, on the samples that ship with the adapter."""

from tillpost_shopify.promises import TestShopify

__all__ = ["TestShopify"]
