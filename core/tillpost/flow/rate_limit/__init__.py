"""The request rate of an API key."""
