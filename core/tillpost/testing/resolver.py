"""The promises of a resolver: one contact for each customer, and no attribute overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, ClassVar

from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Conflict, Contact, Gone, Identified, Identifier, Refused
from tillpost.testing.destination import DestinationSuite, FakeDestination
from tillpost.testing.suite import Suite, check, fail

EMAIL, NUMBER = "anna+1@example.com", "C-1001"


def contact(contact_id: str = "", attributes: Mapping[str, str] | None = None, **keys: str) -> Contact:
    """A contact by these keys."""
    known = tuple(Identifier(kind, value) for kind, value in keys.items())
    return Contact(key="k", contact_id=contact_id, identifiers=known, attributes=attributes or {}, store="12")


class ResolverSuite(DestinationSuite):
    """Write `destination(fault, folder)`.

    `holds()` gives the contacts as mappings of their attributes with `id`; `add(**attributes)` puts one there and
    gives its id. Faults: ok (unknown contacts are created), lookup (they are not), several (two contacts have the
    e-mail that is added), duplicate (a contact exists that the first lookup does not find, and creating it
    again is refused), refuse (nothing listens).
    """

    def test_found(self, tmp_path: Path) -> None:
        """An existing contact is found, not created again."""
        with self.destination("ok", tmp_path) as fake:
            contact_id = _add(fake, email=EMAIL)
            answer = self.hooks_at(fake, tmp_path).resolve_contact(contact(email=EMAIL))
            self._check_identified("found", answer, contact_id, fake)

    def test_unknown(self, tmp_path: Path) -> None:
        """A resolver that may not create contacts answers None for an unknown one, and creates none."""
        with self.destination("lookup", tmp_path) as fake:
            answer = self.hooks_at(fake, tmp_path).resolve_contact(contact(email=EMAIL))
            held = list(fake.holds())
        if answer is not None or held:
            fail("unknown", f"the answer is {_class_name(answer)}, and the destination has {len(held)} contacts")

    def test_created_once(self, tmp_path: Path) -> None:
        """An unknown contact is created, and found the second time: an earlier creation is looked up first."""
        with self.destination("ok", tmp_path) as fake:
            hooks = self.hooks_at(fake, tmp_path)
            created = hooks.resolve_contact(contact(email=EMAIL, externalId=NUMBER))
            if not isinstance(created, Identified) or not created.created:
                fail("created_once", f"the first answer is {_class_name(created)}, which does not say `created`")
            self._check_identified(
                "created_once", hooks.resolve_contact(contact(email=EMAIL)), created.contact_id, fake
            )

    def test_duplicate(self, tmp_path: Path) -> None:
        """A contact that turns out to exist when it is created is looked up and used."""
        with self.destination("duplicate", tmp_path) as fake:
            contact_id = _add(fake, email=EMAIL)
            answer = self.hooks_at(fake, tmp_path).resolve_contact(contact(email=EMAIL, externalId=NUMBER))
            self._check_identified("duplicate", answer, contact_id, fake)

    def test_several(self, tmp_path: Path) -> None:
        """Several contacts for one key are a Conflict: a person decides. The reason names the kinds of all keys."""
        with self.destination("several", tmp_path) as fake:
            _add(fake, email=EMAIL)
            answer = self.hooks_at(fake, tmp_path).resolve_contact(contact(email=EMAIL, externalId=NUMBER))
        if not isinstance(answer, Conflict):
            fail("several", f"the answer is {_class_name(answer)}, not Conflict")
        missing = [kind for kind in ("email", "externalId") if kind not in answer.reason]
        check(
            "several",
            f"the reason does not name {', '.join(missing)}" if missing else "",
            self.leak(answer, EMAIL, NUMBER),
        )

    def test_nothing_empty(self, tmp_path: Path) -> None:
        """An empty attribute is never sent: it would overwrite the destination's."""
        with self.destination("ok", tmp_path) as fake:
            hooks = self.hooks_at(fake, tmp_path)
            created = hooks.resolve_contact(contact(email=EMAIL, attributes={"firstName": "Anna", "city": " "}))
            if not isinstance(created, Identified):
                fail("nothing_empty", f"the answer is {_class_name(created)}")
            hooks.update_contact(contact(created.contact_id, email=EMAIL), {"firstName": " ", "city": "Lund"})
            [held] = fake.holds()
        if held.get("firstName") != "Anna" or not str(held.get("city", "Lund")).strip():
            fail("nothing_empty", "an empty value has overwritten what the destination had")

    def test_gone(self, tmp_path: Path) -> None:
        """An id that is no longer valid is Gone, so that it is forgotten."""
        with self.destination("ok", tmp_path) as fake:
            gone = contact("00000000-0000-0000-0000-000000000000", email=EMAIL)
            answer = self.hooks_at(fake, tmp_path).update_contact(gone, {"city": "Lund"})
        check("gone", "" if isinstance(answer, Gone) else f"the answer is {_class_name(answer)}, not Gone")

    def test_reconciled(self, tmp_path: Path) -> None:
        """`reconcile_contact` finds by any key and never creates a contact."""
        with self.destination("ok", tmp_path) as fake:
            hooks = self.hooks_at(fake, tmp_path)
            unknown = hooks.reconcile_contact(contact(email=EMAIL))
            check("reconciled", "" if unknown is None and not list(fake.holds()) else "a lookup created a contact")
            contact_id = _add(fake, email=EMAIL)
            self._check_identified(
                "reconciled", hooks.reconcile_contact(contact(externalId=NUMBER, email=EMAIL)), contact_id, fake
            )

    def test_unreachable(self, tmp_path: Path) -> None:
        """An unreachable destination is a failure that is returned, and its reason does not name the contact."""
        with self.destination("refuse", tmp_path) as fake:
            answer = self.hooks_at(fake, tmp_path).resolve_contact(contact(email=EMAIL))
        check(
            "unreachable",
            ""
            if answer is not None and not isinstance(answer, Identified | Refused)
            else f"it says {_class_name(answer)}",
            self.leak(answer, EMAIL),
        )

    def _check_identified(self, promise: str, answer: Any, contact_id: str, fake: FakeDestination) -> None:
        held = list(fake.holds())
        check(
            promise,
            f"the answer is {_class_name(answer)}" if not isinstance(answer, Identified) else "",
            "it is another contact" if isinstance(answer, Identified) and answer.contact_id != contact_id else "",
            f"the destination has {len(held)} contacts, not one" if len(held) != 1 else "",
        )


class MemorySuite(Suite):
    """For a resolver that asks no destination. Set `settings`, its table as a configuration writes it."""

    settings: ClassVar[Mapping[str, Any]] = {}

    def test_remembered(self, tmp_path: Path) -> None:
        """A contact whose id is remembered is identified by it."""
        answer = self._hooks(tmp_path).resolve_contact(contact("c-1", email=EMAIL))
        check("remembered", "" if answer == Identified(contact_id="c-1") else f"the answer is {_class_name(answer)}")

    def test_unknown(self, tmp_path: Path) -> None:
        """Any other contact is None, so that the next resolver is asked."""
        answer = self._hooks(tmp_path).resolve_contact(contact(email=EMAIL))
        check("unknown", "" if answer is None else f"the answer is {_class_name(answer)}")

    def _hooks(self, folder: Path) -> HookCalls:
        return self.hooks({"resolve": self.settings}, folder)


def _add(fake: FakeDestination, **attributes: str) -> str:
    if fake.add is None:
        raise NotImplementedError("give FakeDestination(add=…), which puts a contact there")
    return fake.add(**attributes)


def _class_name(answer: Any) -> str:
    return "None" if answer is None else type(answer).__name__
