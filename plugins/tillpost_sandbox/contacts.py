"""Contacts: how they are found, created, changed and removed. Source: contract, section 2."""

import uuid
from collections.abc import Mapping
from typing import Any

import attrs

from tillpost_sandbox.identifiers import CREATE_KEYS, IDENTIFIERS, INVALID, is_valid
from tillpost_sandbox.request import FieldError, RefusalError, as_object
from tillpost_sandbox.settings import Settings
from tillpost_sandbox.state import Contact, State

_ANY = ("email", "socialSecurityNumber", "mobilePhone")  # the order in which `any` is tried, before customKey
_SEARCH = ("email", "mobilePhone", "socialSecurityNumber", "customKey", "any")
_NOT_ATTRIBUTES = ("contactType", "preferences", "consents", "id", "contactId")


def lookup(state: State, settings: Settings, query: Mapping[str, str]) -> Contact:
    """The one contact that a search names.

    Raises RefusalError 400 for a value that does not validate, 404 ContactNotFound, 409 MultipleMatches.
    With several identifiers every contact that one of them names is a match: what Engage does is not
    published.
    """
    given = {name: query[name] for name in _SEARCH if name in query}
    unknown = set(query) - set(_SEARCH) - {"contactType"}
    if not given or unknown or not all(value.strip() for value in given.values()):
        raise RefusalError(400, "InvalidSearchQuery", f"search by one or several of {', '.join(_SEARCH)}, none empty")
    wanted = contact_type(settings, query["contactType"]) if "contactType" in query else None
    matches = {
        contact.id: contact
        for name, value in given.items()
        for contact in _search(state, name, value)
        if wanted is None or contact.contact_type == wanted
    }
    return only(matches)


def only(matches: Mapping[str, Contact]) -> Contact:
    """The one contact there is. Raises RefusalError 404 ContactNotFound, 409 MultipleMatches."""
    if not matches:
        raise RefusalError(404, "ContactNotFound", "no contact matches")
    if len(matches) > 1:
        raise RefusalError(409, "MultipleMatches", f"{len(matches)} contacts match")
    return next(iter(matches.values()))


def contact_type(settings: Settings, given: object) -> str:
    """The tenant's spelling of a contact type. Raises RefusalError 400 InvalidContactType."""
    known = {name.casefold(): name for name in settings.contact_types}
    if not isinstance(given, str) or given.casefold() not in known:
        raise RefusalError(400, "InvalidContactType", f"contactType must be one of {', '.join(settings.contact_types)}")
    return known[given.casefold()]


def create(
    state: State,
    settings: Settings,
    body: object,
    *,
    origin: str = "api",
    source: str | None = None,
    store_external_id: str | None = None,
    approved: bool = True,
    wanted_id: str | None = None,
) -> tuple[Contact, bool]:
    """Create a contact; returns it and whether it is new.

    `wanted_id` is for seeds only. Raises RefusalError 400, or 409 when the key exists and `duplicates` is
    "error".
    """
    fields = as_object(body)
    kind = contact_type(settings, fields.get("contactType") or settings.contact_types[0])
    attributes = {name: value for name, value in fields.items() if name not in _NOT_ATTRIBUTES}
    check_identifiers(attributes)
    if not any(attributes.get(name) for name in CREATE_KEYS):
        raise RefusalError(400, "MissingKey", f"a contact needs one of {', '.join(CREATE_KEYS)}")
    with state.lock:
        existing = same_key(state, attributes, kind)
        if existing:
            state.note("info", "contact-exists", "a contact with this key exists", contact=existing[0].id)
            if settings.duplicates == "error":
                raise RefusalError(409, "DuplicateContact", "a contact with this key exists")
            return existing[0], False
        empty = [name for name, value in attributes.items() if value in ("", None)]
        now = state.timestamp()
        contact = Contact(
            id=wanted_id or str(uuid.uuid4()),
            contact_type=kind,
            attributes=attributes,
            preferences=_preferences(fields.get("preferences")),
            consents=_consents(fields.get("consents")),
            origin=origin,
            created_at=now,
            updated_at=now,
            approved=approved,
            source=source,
            store_external_id=store_external_id,
        )
        if empty:
            state.note("warning", "empty-value", f"sent empty: {', '.join(empty)}", contact=contact.id)
        return state.put_contact(contact), True


def update(state: State, contact: Contact, body: object) -> Contact:
    """Change the named fields; an empty value overwrites. Raises RefusalError 400, 409 for another's key."""
    fields = as_object(body)
    if "contactType" in fields:
        message = "contactType changes only by POST …/updateContactType"
        raise RefusalError(400, "InvalidContactType", message)
    changes = {name: value for name, value in fields.items() if name not in _NOT_ATTRIBUTES}
    check_identifiers(changes)
    with state.lock:
        if any(other.id != contact.id for other in same_key(state, changes, contact.contact_type)):
            raise RefusalError(409, "DuplicateContact", "another contact has this key")
        emptied = [
            name
            for name, value in changes.items()
            if value in ("", None) and contact.attributes.get(name) not in ("", None)
        ]
        if emptied:
            message = f"an empty value overwrote {', '.join(emptied)}"
            state.note("warning", "emptied", message, contact=contact.id)
        return state.put_contact(
            attrs.evolve(
                contact,
                attributes=contact.attributes | changes,
                preferences=contact.preferences | _preferences(fields.get("preferences")),
                consents=_consents(fields["consents"]) if "consents" in fields else contact.consents,
                updated_at=state.timestamp(),
            )
        )


def remove(state: State, contact: Contact, merged_into: str | None = None) -> None:
    """Erase a contact, or merge it into another; its id answers 404 then.

    The other has its receipts then, and those of its identifiers that it lacks.
    """
    with state.lock:
        state.put_contact(
            attrs.evolve(
                contact,
                gone="merged" if merged_into else "erased",
                merged_into=merged_into,
                updated_at=state.timestamp(),
                # An erased person's data is gone too, from what the sandbox shows.
                attributes=contact.attributes if merged_into else {},
            )
        )
        if merged_into:
            other = state.contacts[merged_into]
            lacking = {
                kind: contact.attributes[kind]
                for kind in IDENTIFIERS
                if contact.attributes.get(kind) and not other.attributes.get(kind)
            }
            state.put_contact(attrs.evolve(other, attributes=other.attributes | lacking, updated_at=state.timestamp()))
            state.move_history(contact.id, merged_into)


def same_key(state: State, attributes: Mapping[str, Any], kind: str) -> list[Contact]:
    """The contacts of a type that have one of these identifiers, oldest first; a key is unique by type."""
    found = {
        contact.id: contact
        for name in CREATE_KEYS
        if attributes.get(name)
        for contact in state.find(name, attributes[name])
        if contact.contact_type == kind
    }
    return sorted(found.values(), key=lambda contact: contact.created_at)


def check_identifiers(attributes: Mapping[str, Any]) -> None:
    """Raise RefusalError 400 for the first identifier that does not validate; empty ones pass."""
    for name in IDENTIFIERS:
        value = attributes.get(name)
        if value in ("", None):
            continue
        if not isinstance(value, str) or not is_valid(name, value):
            code = INVALID.get(name, "InvalidField")
            raise RefusalError(400, code, f"{name} is not valid", (FieldError(name, "is not valid"),))


def _search(state: State, name: str, value: str) -> list[Contact]:
    if name == "any":
        # Tried in this order, and stopped at the first that validates, even if it matches nobody.
        name = next((kind for kind in _ANY if is_valid(kind, value)), "customKey")
    if name == "customKey":
        return [*state.find("memberNumber", value), *state.find("externalId", value)]
    if not is_valid(name, value):
        raise RefusalError(400, INVALID[name], f"{name} is not valid")
    return state.find(name, value)


def _preferences(given: object) -> dict[str, Any]:
    if given is None:
        return {}
    if not isinstance(given, dict) or not all(value is None or isinstance(value, bool) for value in given.values()):
        raise RefusalError(400, "InvalidField", "preferences is an object of true and false")
    return given


def _consents(given: object) -> list[Any]:
    if given is None:
        return []
    if not isinstance(given, list):
        raise RefusalError(400, "InvalidField", "consents is a list")
    return given
