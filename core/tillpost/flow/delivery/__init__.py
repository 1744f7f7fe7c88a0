"""From the journal to the destination by API."""
