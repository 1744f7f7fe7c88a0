"""Finds, creates and updates contacts, one at a time.

A search is by one key at a time, in the configured order: what Engage does with several at once is not
published, and `any` stops at the first value that validates even if it matches no contact.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from typing import Any

import attrs

from tillpost import hookimpl
from tillpost.model import (
    STRONG,
    Conflict,
    Contact,
    Delivered,
    Failure,
    Gone,
    Identified,
    MaybeSent,
    Misconfigured,
    NotSent,
    Refused,
    Throttled,
)
from tillpost.model.identifier_rules import fault
from tillpost_engage.answers import Absent, Answer, code, judge
from tillpost_engage.client import Client, contact_path
from tillpost_engage.identifiers import CREATE_KEYS, QUERY_NAMES, given_ids, is_contact_id, is_usable, usable
from tillpost_engage.settings import ResolveSettings

_FAILURES = (NotSent, MaybeSent, Refused, Misconfigured, Throttled)
_GIVEN_ID = (
    "the contactId given belongs to no contact of Engage, and the customer has no other key; correct it at the till"
)


@attrs.frozen
class _Searched:
    """A search that found no contact: the kinds whose value Engage refused, and whether it accepted any."""

    invalid: tuple[str, ...]
    asked: bool


@attrs.frozen
class Contacts:
    """The hooks of the slot `resolve`."""

    settings: ResolveSettings
    client: Client

    @hookimpl
    def resolve_contact(self, contact: Contact) -> Identified | Conflict | Failure | None:
        """Look up by every configured key, then create.

        None: no key to look up by, or no contact found and no key to create by (a memberNumber alone).
        """
        for given in given_ids(contact):
            proved = self._prove(attrs.evolve(contact, contact_id=given))
            if not isinstance(proved, (Gone, Refused)):
                return attrs.evolve(proved, by="contactId", holds={}) if isinstance(proved, Identified) else proved
        keys = usable(contact)
        found = self._search(keys, self.settings.keys)
        if isinstance(found, Identified):
            return self._with_strong(contact, keys, found)
        if not isinstance(found, _Searched):
            return found
        has = {known.kind for known in contact.identifiers}
        bad = [kind for kind in self.settings.keys if kind in has and kind not in keys] + [*found.invalid]
        if not found.asked:
            if "contactId" in has:
                return Refused(reason=_GIVEN_ID + (f"; no valid key: {', '.join(bad)}" if bad else ""))
            return Refused(reason=f"no valid key: {_faults(contact, bad)}") if bad else None
        good = {kind: value for kind, value in keys.items() if kind not in found.invalid}
        if not self.settings.create or not any(kind in good for kind in CREATE_KEYS):
            return None
        return self._create(contact, good, found.invalid)

    @hookimpl
    def may_create_contact(self, contact: Contact) -> bool:
        """With `create`, and a key that Engage creates contacts by."""
        return self.settings.create and any(kind in CREATE_KEYS for kind in usable(contact))

    @hookimpl
    def reconcile_contact(self, contact: Contact) -> Identified | Conflict | Gone | Failure | None:
        """Look up by every key the contact has, the configured ones first, and read what Engage has of it.

        A key that Engage shows for the contact found is not looked up again.
        """
        if contact.contact_id:
            return self._prove(contact)
        keys = usable(contact)
        found: dict[str, str] = {}
        shown: Identified | None = None
        for kind in (kind for kind in dict.fromkeys([*self.settings.keys, *QUERY_NAMES]) if kind in keys):
            if shown is not None and shown.holds.get(kind) == keys[kind]:
                continue
            one = self._find(kind, keys[kind])
            if isinstance(one, _FAILURES):
                return one
            if isinstance(one, Conflict):
                found[kind] = ""
            elif isinstance(one, str):
                found[kind] = one
                if shown is None:
                    read = self._read(contact, one)
                    if isinstance(read, Absent):
                        read = Identified(contact_id=one)  # the lookup itself says that the contact is there
                    if not isinstance(read, Identified):
                        return None if isinstance(read, Gone) else read
                    shown = attrs.evolve(read, by=kind)
        if "" in found.values() or len(set(found.values())) > 1:
            reason = f"several contacts by {', '.join(found)}; keys: {', '.join(keys)}"
            return Conflict(reason=reason, found=found)
        return shown

    @hookimpl
    def update_contact(self, contact: Contact, changes: Mapping[str, str]) -> Identified | Gone | Failure:
        """Read what Engage has and PATCH what differs, except values that cannot be sent (empty, or not E.164)."""
        wanted = _sendable(changes)
        if not wanted:
            return Identified(contact_id=contact.contact_id)
        held = self._held(contact.contact_id)
        if not isinstance(held, (dict, Absent)):
            return held
        shown = held if isinstance(held, dict) else {}
        differing = {name: value for name, value in wanted.items() if not _same(name, _shown(shown, name), value)}
        if differing:
            done = self.client.patch(contact.contact_id, differing)
            if not isinstance(done, Answer):
                return done
        return Identified(contact_id=contact.contact_id, holds=wanted)

    def _with_strong(self, contact: Contact, keys: Mapping[str, str], found: Identified) -> Identified | Failure:
        """What an e-mail or a phone number found, with the stronger identifiers that Engage shows of it."""
        stronger = [kind for kind in keys if kind in STRONG]
        if found.by in STRONG or not stronger:
            return found
        read = self._read(contact, found.contact_id)
        if not isinstance(read, Identified):
            return found if isinstance(read, (Absent, Gone)) else read
        return attrs.evolve(found, holds={kind: read.holds[kind] for kind in stronger if kind in read.holds})

    def _prove(self, contact: Contact) -> Identified | Gone | Failure:
        """Whether the contactId is valid: read it; where Engage lets none be read, ask whether a key leads to it.

        A contact that no key leads to may have other keys by now. An empty PATCH changes nothing, and its 404 is
        documented for a contact that was merged or erased.
        """
        contact_id, keys = contact.contact_id, usable(contact)
        read = self._read(contact, contact_id)
        if not isinstance(read, Absent):
            return read
        for kind in (kind for kind in dict.fromkeys([*self.settings.keys, *QUERY_NAMES]) if kind in keys):
            one = self._find(kind, keys[kind])
            if isinstance(one, _FAILURES):
                return one
            if one == contact_id:
                return Identified(contact_id=contact_id, by=kind)
        answer = self.client.patch(contact_id, {})
        if isinstance(answer, Answer):
            return Identified(contact_id=contact_id)
        if isinstance(answer, Refused):
            if keys:
                return Gone(reason="no key of the contact leads to the stored contactId")
            return Refused(reason=f"Engage does not tell whether the contactId is valid: {answer.reason}")
        return NotSent(reason=answer.reason, status=answer.status) if isinstance(answer, MaybeSent) else answer

    def _read(self, contact: Contact, contact_id: str) -> Identified | Absent | Gone | Failure:
        held = self._held(contact_id)
        if not isinstance(held, dict):
            return held
        holds: dict[str, str] = {}
        for name, value in {**contact.attributes, **usable(contact)}.items():
            shown = _shown(held, name)
            if shown:
                holds[name] = value if _same(name, shown, value) else shown
        return Identified(contact_id=contact_id, holds=holds)

    def _held(self, contact_id: str) -> dict[str, Any] | Absent | Gone | Failure:
        """What Engage shows of a contact. Reading one is not documented: Absent where the tenant does not have it."""
        if not is_contact_id(contact_id):
            return Gone(reason="the stored contactId is not one of Engage's")
        answer = self.client.ask_optional("read a contact", "GET", contact_path(contact_id))
        if not isinstance(answer, Answer):
            return answer
        if not isinstance(answer.value, dict):
            return NotSent(reason="answered a contact that is not a JSON object", status=answer.status)
        return answer.value

    def _search(self, keys: Mapping[str, str], order: Iterable[str]) -> Identified | Conflict | Failure | _Searched:
        invalid: list[str] = []
        asked = False
        for kind in (kind for kind in order if kind in keys):
            one = self._find(kind, keys[kind])
            if isinstance(one, str):
                return Identified(contact_id=one, by=kind, refused=tuple(invalid))
            if isinstance(one, Conflict):
                reason = f"answered 409 MultipleMatches: several contacts by {kind}; keys: {', '.join(keys)}"
                return Conflict(reason=reason, found={kind: ""})
            if isinstance(one, _FAILURES):
                return one
            if one:
                asked = True
            else:
                invalid.append(kind)
        return _Searched(invalid=tuple(invalid), asked=asked)

    def _find(self, kind: str, value: str) -> str | Conflict | Failure | bool:
        """The id of the contact that has a key; True: no contact has it, False: Engage refuses the value."""
        answer = self.client.send("GET", "/contacts/id", query={QUERY_NAMES[kind]: value})
        if isinstance(answer, (NotSent, MaybeSent)):
            return answer
        named = code(answer)
        if answer.status == 404 and named == "ContactNotFound":
            return True
        if answer.status in (400, 414, 431):
            return False
        if answer.status == 409:
            return Conflict(reason=f"answered 409 {named}", found={kind: ""})
        outcome = judge(answer, changes=False)
        if not isinstance(outcome, Delivered):
            return outcome
        if not isinstance(answer.value, str) or not answer.value.strip():
            return NotSent(reason="answered a search without a contact id", status=answer.status)
        return answer.value.strip()

    def _create(
        self, contact: Contact, keys: Mapping[str, str], invalid: tuple[str, ...]
    ) -> Identified | Conflict | Failure:
        attributes = {name: value for name, value in _sendable(contact.attributes).items() if name not in invalid}
        body = attributes | {kind: value for kind, value in keys.items() if kind in CREATE_KEYS}
        if self.settings.contact_type:
            body["contactType"] = self.settings.contact_type
        query = {"source": self.settings.source, "createAsUnapproved": str(self.settings.unapproved).lower()}
        if contact.store:
            query["storeExternalId"] = contact.store
        answer = self.client.send("POST", "/contacts", query=query, body=body)
        if isinstance(answer, (NotSent, MaybeSent)):
            return answer
        outcome = judge(answer, changes=True)
        says_duplicate = any(word in code(answer).lower() for word in ("duplicate", "exist"))
        if isinstance(outcome, Refused) and (answer.status == 409 or (answer.status == 400 and says_duplicate)):
            found = self._search(keys, dict.fromkeys([*self.settings.keys, *keys]))
            if not isinstance(found, _Searched):
                return found
            return Refused(reason=f"{outcome.reason}, but no key finds that contact", status=outcome.status)
        if not isinstance(outcome, Delivered):
            return outcome
        contact_id = _id(answer.value)
        if contact_id is None:
            return MaybeSent(reason="answered a creation without a contact id", status=answer.status)
        # 200 may name a contact that existed before (in older versions), which keeps its own attributes.
        is_new = answer.status == 201
        holds = attributes if is_new else {}
        return Identified(contact_id=contact_id, created=is_new, holds=holds, refused=invalid)


def _faults(contact: Contact, kinds: Iterable[str]) -> str:
    """Kinds of identifier, each with what is wrong with its value where that is known."""
    wrong = {known.kind: fault(known) for known in contact.identifiers}
    return ", ".join(f"{kind} ({wrong[kind]})" if wrong.get(kind) else kind for kind in dict.fromkeys(kinds))


def _id(value: Any) -> str | None:
    found = value if isinstance(value, str) else None
    if isinstance(value, dict):
        found = next((value[name] for name in ("id", "contactId") if isinstance(value.get(name), str)), None)
    return found.strip() or None if found else None


def _sendable(attributes: Mapping[str, str]) -> dict[str, str]:
    # An empty value overwrites; contactType changes by a route of its own only (contract, Read / update).
    return {
        name: value
        for name, value in attributes.items()
        if value.strip() and name != "contactType" and is_usable(name, value)
    }


def _shown(held: Mapping[str, Any], name: str) -> str:
    """An attribute as an answer shows it (v3 flat, v2 in a group), "" when it does not."""
    inner = held.get("attributes")
    value = held.get(name, inner.get(name) if isinstance(inner, dict) else None)
    return "" if value is None or isinstance(value, (dict, list)) else str(value)


def _same(name: str, shown: str, value: str) -> bool:
    return shown.casefold() == value.casefold() if name == "email" else shown == value
