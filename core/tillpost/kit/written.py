"""Numbers and ids as tills, spreadsheets and people write them; what a spreadsheet broke is told from what it kept."""

from __future__ import annotations

import re
import unicodedata
from decimal import Decimal

import attrs

from tillpost.errors import InvalidValue
from tillpost.kit.currency_words import currencies_of
from tillpost.kit.text import quoted
from tillpost.model.money import parse_decimal

_LONGEST = 80
"""Characters; a longer cell is no number."""
_APOSTROPHES = str.maketrans(dict.fromkeys("\u2018\u2019\u02b9\u02bc\u2032\u00b4`\uff07", "'"))
_DASHES = str.maketrans(dict.fromkeys("\u2010\u2011\u2012\u2013\u2014\u2212\ufe63\uff0d", "-"))
_FORMULA = re.compile(r'="([^"]*)"')
_SHORTENED = re.compile(r"[+-]?[0-9]{1,3}(?:(?:[.,][0-9]*)?[eE][+-]|[.,][0-9]*[eE])[0-9]{1,3}")
_FLOAT = re.compile(r"[0-9]+[.,]0+")
_ERROR = re.compile(r"#{3,}|#N/A|#NV|#[^\W\d][\w/]*[!?]")
_NUMBER = re.compile(
    r"(?P<before>[^0-9]*?)(?P<number>(?:(?<![^\W\d_])(?<!/)[.,])?[0-9](?:.*[0-9])?)(?P<after>[^0-9]*)", re.DOTALL
)
_BRACKETS = re.compile(r"([^()<>]*)(?:\(([^()<>]+)\)|<([^()<>]+)>)([^()<>]*)")
_PRICE_DASH = re.compile(r"^[:.,]\s?-{1,2}(?!\S)")
"""100:- and 100,- are how whole amounts are written in the Nordic and German-speaking countries: no minus."""


@attrs.frozen
class WrittenNumber:
    """A number, and the currencies that the sign or word beside it may mean (empty: none, or a sign of many)."""

    value: Decimal
    currencies: frozenset[str] = frozenset()


def plain_text(written: str) -> str:
    """The text with one kind of blank, digit, dash and apostrophe, without characters that show nothing."""
    text = unicodedata.normalize("NFKC", written.translate(_APOSTROPHES)).translate(_DASHES)
    if not text.isascii():
        text = "".join(
            str(unicodedata.decimal(char)) if char.isdecimal() else char
            for char in text.replace("\u066b", ".").replace("\u066c", "'")
            if unicodedata.category(char) != "Cf"
        )
    return " ".join(text.split())


def unquoted(written: str) -> str:
    """The text without what keeps a spreadsheet from changing it: `="0012"` and `'0012` are 0012."""
    if found := _FORMULA.fullmatch(written):
        return found[1].strip()
    return written[1:] if written[:1] == "'" and (written[1:2].isdigit() or written[1:2] in "+-=") else written


def broken_id(written: str, *, code: bool = False) -> str:
    """What a spreadsheet has done to an id, as the end of a sentence; "" for one that is whole.

    code: of an article, where a short text such as 10.0 may be meant.
    """
    if (written.isalnum() and len(written) < 18) or written[:1].isalpha():  # nearly every one
        return ""
    if _SHORTENED.fullmatch(written):
        return "is a number a spreadsheet shortened"
    if _FLOAT.fullmatch(written) and (not code or len(written) > 7):
        return "is an id that was made a number, which may have lost its leading zeros"
    if written.isdecimal() and not written[15:].strip("0"):
        return "is a number whose digits after the 15th a spreadsheet made zeros"
    return "is an error of the spreadsheet" if _ERROR.fullmatch(written) else ""


def written_number(written: str, place: str, *, decimal: str = ".", thousands: str = "") -> WrittenNumber:
    """A number with its sign in front, behind or as brackets, and with a currency sign or word, or a % sign.

    decimal: the decimal mark. thousands: the mark between groups of three digits; blanks and apostrophes always are,
    and the other of point and comma where the number leaves no doubt (`1,000.00`, not `1,000`).
    Raises InvalidValue, with the value, for anything else.
    """
    text = unquoted(plain_text(written)) if len(written) <= _LONGEST else ""
    if _SHORTENED.fullmatch(text):
        raise InvalidValue(f"{quoted(written)} is a number a spreadsheet shortened", place=place)
    if _ERROR.fullmatch(text):
        raise InvalidValue(f"{quoted(written)} is an error of the spreadsheet", place=place)
    negative = False
    if found := _BRACKETS.fullmatch(text):
        negative, text = True, f"{found[1]}{found[2] or found[3]}{found[4]}"
    parts = _NUMBER.fullmatch(text)
    fault = InvalidValue(f"{quoted(written)} is not a number such as 12{decimal}50", place=place)
    if not parts:
        # The accounting format of spreadsheets shows zero as a dash: "- kr".
        word = text.replace(" ", "").replace("-", "", 1)
        if "-" in text and (not word or currencies_of(word) is not None):
            return WrittenNumber(Decimal(0))
        raise fault
    before, after = parts["before"].strip(), _PRICE_DASH.sub("", parts["after"])
    if after[:1] == decimal:
        after = after[1:]
    words = [re.sub(r"[-+\s]", "", side) for side in (before, after.strip().removeprefix("%"))]
    known = [currencies_of(word) for word in words if word]
    minus = (before + after).count("-")
    if None in known or minus + negative > 1 or (before + after).count("+") > 1:
        raise fault
    digits = _digits(parts["number"], decimal, thousands, bool(known))
    if not digits:
        raise fault
    if digits == _DOUBTFUL:
        one, other = (parts["number"].replace(",", mark).replace(".", mark) for mark in (".", ""))
        raise InvalidValue(f"{quoted(written)} may be {one} or {other}", place=place)
    value = parse_decimal(f"-{digits}" if negative or minus else digits, place)
    meant = [currencies for currencies in known if currencies]
    return WrittenNumber(value, frozenset.intersection(*meant) if meant else frozenset())


_DOUBTFUL = "?"


def _digits(number: str, decimal: str, thousands: str, of_money: bool) -> str:
    """The number with a point and without marks of groups; "" when it is none, _DOUBTFUL when it may be two.

    of_money: a currency stands beside it, and so a mark before three digits is that of a group.
    """
    whole, mark, rest = number.rpartition(decimal)
    if not mark:
        whole, rest = number, ""
    if not rest.isdecimal() and rest:
        return ""
    other = "," if decimal == "." else "."
    for group in dict.fromkeys((thousands, " ", "'", other)):
        if group and group in whole and _grouped(whole, group):
            if group == other != thousands and not mark and whole.count(group) == 1 and not of_money:
                return _DOUBTFUL
            whole = whole.replace(group, "")
            break
    if not (whole.isdecimal() or (rest and not whole)):
        return ""
    return f"{whole}.{rest}" if rest else whole


def _grouped(whole: str, group: str) -> bool:
    first, *others = whole.split(group)
    if not (first.isdecimal() and all(part.isdecimal() for part in others)) or first[0] == "0":
        return False
    if len(first) <= 3 and all(len(part) == 3 for part in others):
        return True
    # South Asia groups thousands, then hundreds: 12,34,567.
    return group == "," and len(first) <= 2 and len(others[-1]) == 3 and all(len(part) == 2 for part in others[:-1])
