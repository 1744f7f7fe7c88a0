"""The status page: what `sight` knows, as HTML and for monitoring, served by `tillpost run --status`."""
