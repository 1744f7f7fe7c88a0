"""Files in place of the API, while it is away."""
