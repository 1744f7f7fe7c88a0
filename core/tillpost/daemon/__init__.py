"""The process of `tillpost run`: pipelines at work, their console, systemd and logs."""
