"""A real export made into a sample without anyone in it: structure and sums stay, people go."""

from tillpost.support.sample.make import Form, Made, make
from tillpost.support.sample.signature import first_year, people, signature

__all__ = ["Form", "Made", "first_year", "make", "people", "signature"]
