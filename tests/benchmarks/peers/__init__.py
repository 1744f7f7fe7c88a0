"""What could be picked instead, each a script of its own: run in the peers' environment, it imports nothing of ours."""
