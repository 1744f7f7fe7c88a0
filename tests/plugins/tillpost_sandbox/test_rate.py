"""The sliding second, with a clock of our own."""

from tillpost_sandbox.engage import RateLimit


def test_the_second_slides_and_keys_are_apart() -> None:
    times = [0.0]
    rate = RateLimit(lambda: times[0])
    assert [rate.admit("a", 2) for _ in range(3)] == [True, True, False]
    assert rate.admit("b", 2)
    times[0] = 0.999
    assert not rate.admit("a", 2)
    times[0] = 1.0
    assert [rate.admit("a", 2) for _ in range(3)] == [True, True, False]
    assert rate.peak == 4
