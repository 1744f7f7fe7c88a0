"""A seeded simulator: the real flow, journal and Engage plugins; clock, network, folder and chance are simulated.

`python -m tests.scenarios.simulator --seed N` runs one schedule again, `--shrink` drops the steps it does not need.
"""
