"""Another person: an e-mail or phone number that a customer shares leads to a contact that is not the customer's own.

A card, an externalId or a membership number says who somebody is. What an e-mail or a phone number finds is taken only
where nothing shows that it is somebody else (docs/decisions/0008-contacts.md).
"""

from __future__ import annotations

from tillpost.flow.line import Line
from tillpost.model import STRONG, Conflict, Contact, Identified

_SHARED = "its contactId was found by an identifier it shares with another person, who is known by another one"


def shared_kinds(line: Line, contact: Contact, found: Identified | Conflict) -> set[str]:
    """Kinds of the contact's identifiers that lead to another person, as far as anything shows it."""
    own = strong(contact)
    weak = {known.kind for known in contact.identifiers} - STRONG
    if not own or not weak:
        return set()
    if isinstance(found, Identified):
        if found.by in STRONG or found.created or found.contact_id == contact.contact_id:
            return set()
        # A resolver that does not name the key has found it by one that it was not to ask for.
        kinds = {found.by} & weak if found.by else weak
        held = {kind: value for kind, value in found.holds.items() if kind in own}
        return kinds if _differs(own, held) or _is_known_as_other(line, contact, found.contact_id) else set()
    # A number the pipeline does not look people up by may be another's by chance: then a person decides.
    order = line.rules.order
    cards = {kind: found_id for kind, found_id in found.found.items() if kind in STRONG}
    chosen = set(cards.values()) if any(kind in order or not order for kind in cards) else set()
    if len(chosen) == 1 and "" not in chosen:
        return {kind for kind, found_id in found.found.items() if kind in weak and found_id not in chosen}
    return {
        kind
        for kind, found_id in found.found.items()
        if kind in weak and found_id and _is_known_as_other(line, contact, found_id)
    }


def strong(contact: Contact) -> dict[str, set[str]]:
    """The identifiers that say who the contact is: kind → values."""
    values: dict[str, set[str]] = {}
    for known in contact.identifiers:
        if known.kind in STRONG:
            values.setdefault(known.kind, set()).add(known.value)
    return values


def separate_others(line: Line, contact: Contact, found: Identified) -> None:
    """A strong identifier has found the contact: another local one that took the same id by a shared one loses it."""
    own = strong(contact)
    if found.by not in STRONG or not own:
        return
    for key, theirs in line.journal.contacts.others_with_id(contact.key, found.contact_id).items():
        weak = {known.kind for known in line.journal.contacts.get(key).identifiers} - STRONG
        # Without a shared one it was found by its own: the destination has merged both, and both cards lead there.
        if weak and _differs(own, theirs):
            now = line.clock.time()
            line.journal.contacts.forget_id(key, _SHARED, now, contact_id=found.contact_id, is_gone=False)
            line.journal.contacts.share(key, weak, now)


def _is_known_as_other(line: Line, contact: Contact, contact_id: str) -> bool:
    own = strong(contact)
    others = line.journal.contacts.others_with_id(contact.key, contact_id)
    return any(_differs(own, theirs) for theirs in others.values())


def _differs(own: dict[str, set[str]], theirs: dict[str, str]) -> bool:
    return any(value and kind in own and value not in own[kind] for kind, value in theirs.items())
