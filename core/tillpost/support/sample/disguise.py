"""Which values of a document stay, and which get a pseudonym.

Everything is replaced but what cannot name anybody: amounts, short numbers, times, single letters, the words of the
adapter's settings, and the values at places that the adapter was shown to need.
"""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Collection

import attrs

from tillpost.support.sample.json_text import Path
from tillpost.support.sample.person_words import is_person, says_what
from tillpost.support.sample.shapes import Shapes

_TIME = r"\d{1,2}:\d\d(?::\d\d(?:[.,]\d{1,9})?)?(?: ?[AaPp]\.?[Mm]\.?)?"
_ZONE = r"(?: ?(?:Z|[+-]\d\d:?\d\d))?"
_DATE = r"(?:\d{4}[-/.]\d{1,2}[-/.]\d{1,2}|\d{1,2}[-/.]\d{1,2}[-/.](?:\d{4}|\d\d))"
_MOMENT = re.compile(rf"{_DATE}(?:(?:[T ]| à |, ){_TIME})?{_ZONE}|{_TIME}{_ZONE}")
_AMOUNT = re.compile(
    r"[-+\u2212(]?\W{0,3}(?:\d{1,9}|\d{1,3}(?:(?P<group>[ .,'\u2019\u00a0\u202f])\d{3})(?:(?P=group)\d{3}){0,2})"
    r"(?:(?!(?P=group))(?P<decimals>[.,]\d{1,5})|(?<!\d)(?<!')\.)?\W{0,3}[)-]?"
)
_NUMBERED = re.compile(r"(?:\d+[.,]0|\d{3}[.,]\d{4})")
"""A whole number with the `.0` of a program that knows no other, and a telephone number with a dot."""
_SHORT = 4
"""Digits of a number that may stay although it may be an id: nobody is found by it."""
_LARGE = 7
"""Digits of whole units from which on a number may be somebody's: it stays only where the adapter needs it."""
_DAYS = 31
"""A number above it in a date is a year."""
_WORD = re.compile(r"(?!.*\d{5})(?:[^\W\d]\w*(?:[$/:#-]\w+)*|[$@#_]\w{0,59})")
"""A name of a column or key. One with a space or a dot may be of a person: keys of an object may be values."""
_NAMES = (("(header)",), ("(key)",))
"""Where a name stands, of a column or of a member of an object, and perhaps a value in its place."""
_TRUTHS = frozenset(("true", "false", "yes", "no", "null", "none"))


def plain_key(value: str) -> str:
    """A value without punctuation and case, so that two ways to write it are one."""
    return re.sub(r"[\W_]+", "", value).casefold()


@attrs.define
class Places:
    """What is known of the places of a document.

    persons: those with values of customers. doubtful: those that may have some, and stay only where the adapter needs
    them. values: place → its values, without punctuation and case.
    """

    persons: set[Path] = attrs.field(factory=set)
    doubtful: set[Path] = attrs.field(factory=set)
    values: dict[Path, set[str]] = attrs.field(factory=lambda: defaultdict(set))


@attrs.define
class Disguise:
    """The values of one document.

    people: what the adapter read of customers. settings: the values of the adapter's settings, by which it knows words
    of the document. first_year: that of the first sale. kept: places whose values stay, because the adapter needs them
    or because it was asked for.
    """

    shapes: Shapes
    people: Collection[str]
    settings: Collection[str]
    first_year: int = 0
    kept: Collection[Path] = ()
    asked: Collection[str] = ()
    places: Places = attrs.field(factory=lambda: Places())
    replaced: dict[Path, set[str]] = attrs.field(factory=lambda: defaultdict(set))
    staying: dict[Path, set[str]] = attrs.field(factory=lambda: defaultdict(set))
    _keys: frozenset[str] = attrs.field(init=False)
    _short: frozenset[str] = attrs.field(init=False)
    _asked: frozenset[Path] = attrs.field(init=False)

    def __attrs_post_init__(self) -> None:
        self._asked = frozenset((name,) for name in self.asked)
        keys = {plain_key(value) for value in self.people}
        # A national id with its century, and the same without it.
        keys |= {key[2:] for key in keys if key.isdecimal() and len(key) == 12}
        self._keys = frozenset(key for key in keys if len(key) > _SHORT or (len(key) > 2 and not key.isdecimal()))
        self._short = frozenset(keys) - self._keys

    def learn(self, path: Path, value: str) -> str:
        """Note the place of a value that the adapter read as a customer's; the value stays."""
        key = plain_key(value)
        if key in self._keys and not (path[-1:] in _NAMES and value.isalpha()):
            self.places.persons.add(path)
        self.places.values[path].add(key)
        return value

    def learned(self) -> Places:
        """The places that were learned. Where half of the values are short ones of customers, all may be."""
        for path, values in self.places.values.items():
            if 2 * len(values & self._short) >= max(1, len(values - {""})):
                self.places.doubtful.add(path)
        return self.places

    def __call__(self, path: Path, value: str) -> str:
        """What stands in for the value."""
        bare = value.strip()
        if not any(character.isalnum() for character in bare) or bare.lower() in _TRUTHS:
            return value
        if self.is_persons(path, bare):
            self.replaced[path].add(bare)
            return self.shapes.of(value)
        if path[-1:] == ("(header)",) or (path[-1:] == ("(key)",) and _WORD.fullmatch(bare)):
            return value
        if self._is_harmless(bare) and (path not in self.places.doubtful or path in self.kept):
            return value
        if path in self.kept or path[-1:] in self._asked or bare in self.settings:
            self.staying[path].add(bare)
            return value
        self.replaced[path].add(bare)
        return self.shapes.of(value)

    def is_persons(self, path: Path, bare: str) -> bool:
        """Whether it stands at a place of a person's, or is a value that names one."""
        if path[-1:] in self._asked or (path in self.kept and says_what(path)):
            return False
        by_name = path[-1:] not in _NAMES and is_person(path)
        return path in self.places.persons or by_name or "@" in bare[1:] or plain_key(bare) in self._keys

    def candidates(self) -> set[Path]:
        """The places that may stay when the adapter needs them: none of a person's, but what kind of value one is."""
        return {
            path
            for path, values in self.replaced.items()
            if all((says_what(path) and each.isalpha()) or not self.is_persons(path, each) for each in values)
        }

    def people_left(self) -> set[Path]:
        """The places where a value that stays has one of a person's in it."""
        named = {each for values in self.replaced.values() for each in values if " " in each or "@" in each}
        named &= {each for path, values in self.replaced.items() for each in values if self.is_persons(path, each)}
        keys = {key for each in (*self.people, *named) if len(key := plain_key(each)) > _SHORT}
        words = {each.casefold() for each in self.people if len(each) > 2 and each.isalpha()}
        return {
            path
            for path, values in self.staying.items()
            for value in values
            if any(key in plain_key(value) for key in keys)
            or not words.isdisjoint(re.findall(r"[^\W\d_]+", value.casefold()))
        }

    def _is_harmless(self, bare: str) -> bool:
        if len(bare) == 1:
            return True
        if _MOMENT.fullmatch(bare):
            return self._is_recent(bare)
        if not (found := _AMOUNT.fullmatch(bare)) or re.match(r"0\d{4}", bare):
            return False
        digits = sum(map(str.isdecimal, bare))
        decimals = found["decimals"]
        if digits <= _SHORT or not decimals:
            return digits <= _SHORT
        whole = digits - len(decimals) + 1
        return whole < _LARGE and not _NUMBERED.fullmatch(bare)

    def _is_recent(self, bare: str) -> bool:
        """Whether a moment is not of the years before the sales, as a day of birth is."""
        if found := re.search(r"\d{4}", bare):
            year = int(found[0])
        elif found := re.match(r"(\d{1,2})[-/.]\d{1,2}[-/.](\d\d)(?!:)", bare):
            year = next((int(each) for each in found.groups() if int(each) > _DAYS), int(found[2]))
            year += 2000 if year <= (self.first_year + 1) % 100 else 1900
        else:
            return True
        return year >= self.first_year - 1
