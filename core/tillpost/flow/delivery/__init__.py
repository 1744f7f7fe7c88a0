"""Delivery: from the journal to the destination by API."""
