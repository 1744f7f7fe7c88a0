"""What a user would pick instead, each a script of its own: run in the peers' environment, it imports nothing of ours."""
