"""Numbers and health for monitoring."""
