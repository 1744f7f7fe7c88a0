"""Pseudonyms that look like the value they stand for: as long, with letters and digits in the same places.

Each sample has a key of its own that is kept nowhere, so nobody can try values until one fits.
"""

from __future__ import annotations

import base64
import binascii
import hashlib
import hmac
import re
import secrets
import uuid
from collections.abc import Iterator
from datetime import date, timedelta

_EMAIL = re.compile(r"[^@\s]+@[^@\s]+\.[^@\s]+")
_HEX = re.compile(r"(?=.*\d)(?=.*[a-fA-F])(?:[0-9a-f-]{12,}|[0-9A-F-]{12,})")
_BASE64_UUID = re.compile(r"[A-Za-z0-9_-]{21}[AQgw]")
_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)(?!\d)")
_NATIONAL = re.compile(r"(?P<century>(?:19|20)?)(?P<day>\d{6})(?P<sign>[-+]?)(?P<rest>\d{4})")
_PHONE = re.compile(r"(?P<kept>\+\d{3}|00\d{3}|0\d)(?P<rest>[\d ()/.-]{6,})")
_TRIES = 200


class Shapes:
    """The pseudonyms of one sample: one for each value, the same throughout, no two alike while the shape allows it."""

    def __init__(self, codec: str = "utf-8") -> None:
        """codec: the sample's encoding, which must be able to write them."""
        self._key = secrets.token_bytes(32)
        self._codec = codec
        self._made: dict[str, str] = {}
        self._taken: set[str] = set()

    def of(self, value: str) -> str:
        """The pseudonym of a value; white space around it stays."""
        bare = value.strip()
        if bare not in self._made:
            made = bare
            for attempt in range(_TRIES):
                made = self._make(bare, attempt)
                if made != bare and made not in self._taken:
                    break
            self._taken.add(made)
            self._made[bare] = made
        return value.replace(bare, self._made[bare]) if bare else value

    def _make(self, bare: str, attempt: int) -> str:
        numbers = self._numbers(f"{attempt} {bare}")
        if _EMAIL.fullmatch(bare):
            return self._shaped(bare.partition("@")[0], numbers) + "@example.com"
        if _BASE64_UUID.fullmatch(bare) and (other := self._of_base64(bare)):
            return other
        if (national := _NATIONAL.fullmatch(bare)) and _luhn(national["day"] + national["rest"]):
            return self._national(national, numbers)
        if phone := _PHONE.fullmatch(bare):
            return phone["kept"] + self._shaped(phone["rest"], numbers, first_may_be_zero=True)
        if _HEX.fullmatch(bare):
            return _hex(bare, numbers)
        if day := _DAY.match(bare):
            return _some_day(numbers).isoformat() + bare[day.end() :]
        made = self._shaped(bare, numbers)
        if bare.isdecimal() and bare.isascii() and len(bare) >= 8 and _luhn(bare):
            made = _with_check_digit(made[:-1])
        return made

    def _numbers(self, text: str) -> Iterator[int]:
        for block in range(100_000):
            yield from hmac.new(self._key, f"{block} {text}".encode("utf-8", "surrogatepass"), hashlib.sha256).digest()

    def _shaped(self, text: str, numbers: Iterator[int], first_may_be_zero: bool = False) -> str:
        made, begun = [], first_may_be_zero
        for character in text:
            if character.isdecimal():
                # Leading zeros stay: they are what a spreadsheet loses.
                if begun or character != "0":
                    character = str(next(numbers) % 10 if begun else next(numbers) % 9 + 1)
                    begun = True
            elif character.isalpha():
                made.append(self._letter(character, next(numbers)))
                begun = first_may_be_zero
                continue
            made.append(character)
        return "".join(made)

    def _letter(self, character: str, number: int) -> str:
        if character.isascii():
            return chr((97 if character.islower() else 65) + number % 26)
        first = ord(character) & ~0x3F
        like = [chr(code) for code in range(first, first + 64) if self._is_like(chr(code), character)]
        return like[number % len(like)] if like else ("x" if character.islower() else "X")

    def _is_like(self, one: str, other: str) -> bool:
        if not one.isalpha() or one.islower() != other.islower():
            return False
        try:
            one.encode(self._codec)
        except UnicodeEncodeError:
            return False
        return True

    def _of_base64(self, bare: str) -> str:
        """Of a UUID in base64 the one that its pseudonym has: formats write the same id in both ways."""
        try:
            content = base64.b64decode(f"{bare}==", altchars=b"-_", validate=True)
        except (binascii.Error, ValueError):
            return ""
        other = uuid.UUID(self.of(str(uuid.UUID(bytes=content))))
        return base64.urlsafe_b64encode(other.bytes).decode().rstrip("=")

    def _national(self, found: re.Match[str], numbers: Iterator[int]) -> str:
        day = _some_day(numbers).strftime("%y%m%d")
        serial = "".join(str(next(numbers) % 10) for _ in range(3))
        century = "19" if found["century"] else ""
        return f"{century}{day}{found['sign']}{_with_check_digit(day + serial)[6:]}"


def _some_day(numbers: Iterator[int]) -> date:
    return date(1950, 1, 1) + timedelta(days=(next(numbers) * 256 + next(numbers)) % 18_000)


def _hex(text: str, numbers: Iterator[int]) -> str:
    upper = text.upper() == text
    digits = "0123456789ABCDEF" if upper else "0123456789abcdef"
    letters = digits[10:]
    made = []
    for character in text:
        if character.isdecimal():
            made.append(str(next(numbers) % 10))
        else:
            made.append(letters[next(numbers) % 6] if character.isalpha() else character)
    return "".join(made)


def _luhn(digits: str) -> bool:
    return digits.isdecimal() and _check_sum(digits) % 10 == 0


def _check_sum(digits: str) -> int:
    return sum(sum(divmod(int(digit) * (1 + at % 2), 10)) for at, digit in enumerate(reversed(digits)))


def _with_check_digit(digits: str) -> str:
    return digits + str(-_check_sum(digits + "0") % 10)
