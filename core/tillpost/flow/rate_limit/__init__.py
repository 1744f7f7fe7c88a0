"""The request rate of an API key: never more than the destination allows, and no less where there is work."""
