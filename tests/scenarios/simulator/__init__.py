"""A seeded simulator: the real flow, journal and Engage plugins, with simulated clock, network, folder and randomness.

`python -m tests.scenarios.simulator --seed N` runs one schedule again, `--shrink` drops the steps it does not need.
"""
