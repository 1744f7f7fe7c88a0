"""Fallback: files in place of the API, while the API is away."""
