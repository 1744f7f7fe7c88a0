"""Records as values."""

from tillpost.model import Broken, NoReceipt


def test_a_reason_is_bounded_whatever_value_it_shows() -> None:
    long = f"line 1: {'a' * 5000} is no date"
    for record in (Broken(reason=long, place="line 1", raw=b"x"), NoReceipt(reason=long, place="line 1", retail=True)):
        assert record.reason == f"line 1: {'a' * 991}…"
    assert Broken(reason="short", place="line 1", raw=b"x").reason == "short"
