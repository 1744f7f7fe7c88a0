"""Signs and words that stand beside amounts, and the currencies they may mean."""

from __future__ import annotations

import unicodedata
from collections.abc import Mapping

# ISO 4217 (list one): the currencies in use, and the two that were replaced last.
_CODES = """
    AED AFN ALL AMD ANG AOA ARS AUD AWG AZN BAM BBD BDT BGN BHD BIF BMD BND BOB BRL BSD BTN BWP BYN BZD CAD CDF CHF
    CLP CNY COP CRC CUP CVE CZK DJF DKK DOP DZD EGP ERN ETB EUR FJD FKP GBP GEL GHS GIP GMD GNF GTQ GYD HKD HNL HRK
    HTG HUF IDR ILS INR IQD IRR ISK JMD JOD JPY KES KGS KHR KMF KPW KRW KWD KYD KZT LAK LBP LKR LRD LSL LYD MAD MDL
    MGA MKD MMK MNT MOP MRU MUR MVR MWK MXN MYR MZN NAD NGN NIO NOK NPR NZD OMR PAB PEN PGK PHP PKR PLN PYG QAR RON
    RSD RUB RWF SAR SBD SCR SDG SEK SGD SHP SLE SOS SRD SSP STN SVC SYP SZL THB TJS TMT TND TOP TRY TTD TWD TZS UAH
    UGX USD UYU UZS VED VES VND VUV WST XAF XCD XOF XPF YER ZAR ZMW ZWG
    """
_WORDS: Mapping[str, str] = {
    "€": "EUR",
    "euro": "EUR",
    "euros": "EUR",
    "£": "GBP GIP FKP SHP EGP",
    "¥": "JPY CNY",
    "円": "JPY",
    "元": "CNY TWD",
    "₩": "KRW",
    "₹": "INR",
    "₽": "RUB",
    "₴": "UAH",
    "₺": "TRY",
    "₪": "ILS",
    "₫": "VND",
    "₦": "NGN",
    "₱": "PHP",
    "฿": "THB",
    "₾": "GEL",
    "₸": "KZT",
    "₡": "CRC",
    "₲": "PYG",
    "kr": "SEK NOK DKK ISK",
    "skr": "SEK",
    "nkr": "NOK",
    "dkr": "DKK",
    "íkr": "ISK",
    "kronor": "SEK",
    "kroner": "NOK DKK",
    "kč": "CZK",
    "kc": "CZK",
    "zł": "PLN",
    "zl": "PLN",
    "ft": "HUF",
    "lei": "RON MDL",
    "leu": "RON MDL",
    "kn": "HRK",
    "км": "BAM",
    "km": "BAM",
    "лв": "BGN",
    "lv": "BGN",
    "din": "RSD MKD",
    "дин": "RSD",
    "ден": "MKD",
    "den": "MKD",
    "lek": "ALL",
    "fr": "CHF",
    "sfr": "CHF",
    "chf": "CHF",
    "tl": "TRY",
    "руб": "RUB BYN",  # noqa: RUF001
    "р": "RUB BYN",  # noqa: RUF001
    "грн": "UAH",
    "rs": "INR PKR LKR NPR MUR SCR",
    "r": "ZAR",
    "rm": "MYR",
    "rp": "IDR",
    "s/": "PEN",
    "b/": "PAB",
    "bs": "BOB VES",
    "r$": "BRL",
    "us$": "USD",
    "a$": "AUD",
    "au$": "AUD",
    "c$": "CAD NIO",
    "ca$": "CAD",
    "nz$": "NZD",
    "hk$": "HKD",
    "nt$": "TWD",
    "s$": "SGD",
    "mx$": "MXN",
}


def currencies_of(word: str) -> frozenset[str] | None:
    """The currencies that a sign, word or code means; empty for a sign of many currencies, None for no currency."""
    name = word.casefold().rstrip(".")
    if meant := _WORDS.get(name):
        return frozenset(meant.split())
    if len(word) == 3 and word.upper() in _CODES.split():
        return frozenset([word.upper()])
    return frozenset() if unicodedata.category(word[-1]) == "Sc" and len(word) <= 3 else None
