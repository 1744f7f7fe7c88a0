"""What a person should look at in what an adapter read: sentences, without a customer's key or name."""

from __future__ import annotations

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping
from typing import Any
from zoneinfo import ZoneInfo

import attrs

from tillpost.model import Identifier, IdentifierRules, Receipt
from tillpost.model.contradictions import TAX_OFF, TAX_PERCENT_OFF
from tillpost.model.identifier_rules import fault
from tillpost.terminal import counted, ranked

UNKNOWN = "other"
"""The payment type that adapters give to a word they do not know."""
_LOOKED_AT = {
    TAX_OFF: "the taxes the till summed are not those of its lines",
    TAX_PERCENT_OFF: "a tax is not its percentage of the amount it is on",
}
"""Flags that make a person look, each with what it says."""
_MANY = 4
"""Receipts that hardly come from one customer, when they are all the receipts there are."""


def masked(value: str) -> str:
    """A customer's key so that a wrong one shows: its first two characters and its length."""
    return f"{value[:2] if len(value) > 3 else ''}…({len(value)})"


@attrs.define
class Judgement:
    """What was seen in the receipts so far.

    timezone: of the adapter's settings, None where it has none. tenders: the words the settings name a type for.
    """

    rules: IdentifierRules
    timezone: ZoneInfo | None = None
    tenders: Mapping[str, Any] = attrs.field(factory=dict)
    flags: Counter[str] = attrs.field(factory=Counter)
    _receipts: int = 0
    _keys: dict[str, Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))
    _offsets: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    _words: Counter[str] = attrs.field(factory=Counter)
    _unusable: dict[tuple[str, str], Counter[str]] = attrs.field(factory=lambda: defaultdict(Counter))

    @classmethod
    def of_settings(cls, settings: Any, rules: IdentifierRules) -> Judgement:
        """With what the adapter's settings say under the names that every adapter uses."""
        zone, tenders = (getattr(settings, name, None) for name in ("timezone", "tenders"))
        return cls(
            rules=rules,
            timezone=zone if isinstance(zone, ZoneInfo) else None,
            tenders=tenders if isinstance(tenders, Mapping) else {},
        )

    def see(self, receipt: Receipt, flags: Iterable[str]) -> None:
        """One receipt, with the flags it has once it is accepted."""
        self._receipts += 1
        self.flags.update(sorted(set(flags)))
        for known in receipt.customer.identifiers if receipt.customer else ():
            self._keys[known.kind][known.value] += 1
            usable = self.rules.normal(known, receipt.store)
            if reason := fault(usable):
                self._unusable[known.kind, reason][masked(known.value)] += 1
        if self.timezone is not None:
            there = receipt.created.astimezone(self.timezone)
            self._offsets[receipt.created.isoformat()[-6:], there.isoformat()[-6:]] += 1
        for tender in receipt.tenders:
            if tender.type == UNKNOWN and tender.description not in self.tenders:
                self._words[tender.description[:24]] += 1

    def findings(self) -> list[str]:
        """What a person should look at, each as a sentence."""
        return [
            *self._wrong_offsets(),
            *(self._one_key(kind, keys) for kind, keys in self._keys.items() if _is_one_for_all(keys)),
            *(self._unusable_keys(kind, reason, keys) for (kind, reason), keys in self._unusable.items()),
            *self._unknown_tenders(),
            *(
                f"{counted(self.flags[flag], 'receipt')} flagged {flag}: {what}"
                for flag, what in _LOOKED_AT.items()
                if self.flags[flag]
            ),
        ]

    def _wrong_offsets(self) -> list[str]:
        wrong: dict[str, Counter[str]] = defaultdict(Counter)
        for (written, there), count in self._offsets.items():
            if written != there:
                wrong[written][there] += count
        return [
            f"{_times(sum(there.values()), self._receipts)}"
            f" {written}, timezone is {self.timezone} (there {' or '.join(sorted(there))}): business days and ids are"
            " made of these times"
            for written, there in wrong.items()
        ]

    def _one_key(self, kind: str, keys: Counter[str]) -> str:
        [(key, count)] = keys.items()
        return (
            f"all {count} receipts that have {_article(kind)} {kind} have the same, {masked(key)}: is it a customer's,"
            " or the name of a programme?"
        )

    def _unusable_keys(self, kind: str, reason: str, keys: Counter[str]) -> str:
        number = counted(keys.total(), "receipt")
        return f"{number} with {_article(kind)} {kind} that no CRM takes, such as {next(iter(keys))}: {reason}"

    def _unknown_tenders(self) -> list[str]:
        if not self._words:
            return []
        words = ", ".join(f"{word or '(no word)'} {count}" for word, count in ranked(self._words))
        number = counted(self._words.total(), "tender")
        return [f"{number} of unknown type: {words}; the setting `tenders` names their types"]


def _is_one_for_all(keys: Counter[str]) -> bool:
    """Whether all receipts have one key, and more of them than one customer's, or one without any figure."""
    if len(keys) > 1:
        return False
    [(key, count)] = keys.items()
    bare = "@" not in key and not any(character.isdigit() for character in key)
    return count >= _MANY or (count > 1 and bare)


def _times(part: int, whole: int) -> str:
    if whole == 1:
        return "the time carries"
    return f"all {part} times carry" if part == whole else f"{part} of {whole} times carry"


def _article(kind: str) -> str:
    return "an" if kind[:1] in "aeiou" else "a"


def identifiers_shown(known: Iterable[Identifier]) -> str:
    """Each identifier as its kind and its masked value."""
    return " ".join(f"{each.kind} {masked(each.value)}" for each in known)
