"""The promises of a resolver: one contact a customer, and nothing overwritten."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tillpost.flow.hook_calls import HookCalls
from tillpost.model import Conflict, Contact, Gone, Identified, Identifier, Refused
from tillpost.testing.far import Far, FarSuite
from tillpost.testing.suite import Suite, broken, keep

EMAIL, NUMBER = "anna+1@example.com", "C-1001"


def contact(contact_id: str = "", attributes: Mapping[str, str] | None = None, **keys: str) -> Contact:
    """A contact by these keys."""
    known = tuple(Identifier(kind, value) for kind, value in keys.items())
    return Contact(key="k", contact_id=contact_id, identifiers=known, attributes=attributes or {}, store="12")


class ResolverSuite(FarSuite):
    """Write `far_side(fault, folder)`.

    `holds()` gives the contacts as mappings of their attributes with `id`; `add(**attributes)` puts one there and
    gives its id. Faults: ok (unknown contacts are made), lookup (they are not), several (two contacts have the
    e-mail that is added), duplicate (a contact is there that a first look does not find, and making it again is
    refused), refuse (nobody listens).
    """

    def test_found(self, tmp_path: Path) -> None:
        """A contact that is there is found, not made again."""
        with self.far_side("ok", tmp_path) as far:
            there = _add(far, email=EMAIL)
            answer = self.at(far, tmp_path).resolve_contact(contact(email=EMAIL))
            self._is("found", answer, there, far)

    def test_unknown(self, tmp_path: Path) -> None:
        """A resolver that may not make contacts answers None for one nobody knows, and makes none."""
        with self.far_side("lookup", tmp_path) as far:
            answer = self.at(far, tmp_path).resolve_contact(contact(email=EMAIL))
            held = list(far.holds())
        if answer is not None or held:
            broken("unknown", f"the answer is {_kind(answer)}, and the destination has {len(held)} contacts")

    def test_created_once(self, tmp_path: Path) -> None:
        """A contact nobody knows is made, and the second time found: an earlier creation is looked up first."""
        with self.far_side("ok", tmp_path) as far:
            hooks = self.at(far, tmp_path)
            made = hooks.resolve_contact(contact(email=EMAIL, externalId=NUMBER))
            if not isinstance(made, Identified) or not made.created:
                broken("created_once", f"the first answer is {_kind(made)}, which does not say it made one")
            self._is("created_once", hooks.resolve_contact(contact(email=EMAIL)), made.contact_id, far)

    def test_duplicate(self, tmp_path: Path) -> None:
        """A contact that turns out to be there when it is made is looked up and used."""
        with self.far_side("duplicate", tmp_path) as far:
            there = _add(far, email=EMAIL)
            answer = self.at(far, tmp_path).resolve_contact(contact(email=EMAIL, externalId=NUMBER))
            self._is("duplicate", answer, there, far)

    def test_several(self, tmp_path: Path) -> None:
        """Several contacts for one key are a Conflict: a person decides. The reason names the kinds of all keys."""
        with self.far_side("several", tmp_path) as far:
            _add(far, email=EMAIL)
            answer = self.at(far, tmp_path).resolve_contact(contact(email=EMAIL, externalId=NUMBER))
        if not isinstance(answer, Conflict):
            broken("several", f"the answer is {_kind(answer)}, not Conflict")
        missing = [kind for kind in ("email", "externalId") if kind not in answer.reason]
        keep(
            "several",
            f"the reason does not name {', '.join(missing)}" if missing else "",
            self.shown(answer, EMAIL, NUMBER),
        )

    def test_nothing_empty(self, tmp_path: Path) -> None:
        """An empty attribute is never sent: it would overwrite what is there."""
        with self.far_side("ok", tmp_path) as far:
            hooks = self.at(far, tmp_path)
            made = hooks.resolve_contact(contact(email=EMAIL, attributes={"firstName": "Anna", "city": " "}))
            if not isinstance(made, Identified):
                broken("nothing_empty", f"the answer is {_kind(made)}")
            hooks.update_contact(contact(made.contact_id, email=EMAIL), {"firstName": " ", "city": "Lund"})
            [held] = far.holds()
        if held.get("firstName") != "Anna" or not str(held.get("city", "Lund")).strip():
            broken("nothing_empty", "an empty value has overwritten what the destination had")

    def test_gone(self, tmp_path: Path) -> None:
        """An id that is no longer valid is Gone, so that it is forgotten."""
        with self.far_side("ok", tmp_path) as far:
            gone = contact("00000000-0000-0000-0000-000000000000", email=EMAIL)
            answer = self.at(far, tmp_path).update_contact(gone, {"city": "Lund"})
        keep("gone", "" if isinstance(answer, Gone) else f"the answer is {_kind(answer)}, not Gone")

    def test_reconciled(self, tmp_path: Path) -> None:
        """`reconcile_contact` finds by any key and never makes a contact."""
        with self.far_side("ok", tmp_path) as far:
            hooks = self.at(far, tmp_path)
            unknown = hooks.reconcile_contact(contact(email=EMAIL))
            keep("reconciled", "" if unknown is None and not list(far.holds()) else "a contact is made by looking")
            there = _add(far, email=EMAIL)
            self._is("reconciled", hooks.reconcile_contact(contact(externalId=NUMBER, email=EMAIL)), there, far)

    def test_unreachable(self, tmp_path: Path) -> None:
        """A destination that is away is a failure that is returned, without a word of who it was about."""
        with self.far_side("refuse", tmp_path) as far:
            answer = self.at(far, tmp_path).resolve_contact(contact(email=EMAIL))
        keep(
            "unreachable",
            "" if answer is not None and not isinstance(answer, Identified | Refused) else f"it says {_kind(answer)}",
            self.shown(answer, EMAIL),
        )

    def _is(self, promise: str, answer: Any, there: str, far: Far) -> None:
        held = list(far.holds())
        keep(
            promise,
            f"the answer is {_kind(answer)}" if not isinstance(answer, Identified) else "",
            "it is another contact" if isinstance(answer, Identified) and answer.contact_id != there else "",
            f"the destination has {len(held)} contacts, not one" if len(held) != 1 else "",
        )


class MemorySuite(Suite):
    """For a resolver that asks nobody."""

    def test_remembered(self, tmp_path: Path) -> None:
        """A contact whose id is remembered is identified by it."""
        answer = self._hooks(tmp_path).resolve_contact(contact("c-1", email=EMAIL))
        keep("remembered", "" if answer == Identified(contact_id="c-1") else f"the answer is {_kind(answer)}")

    def test_unknown(self, tmp_path: Path) -> None:
        """Any other is None, so that the next resolver is asked."""
        answer = self._hooks(tmp_path).resolve_contact(contact(email=EMAIL))
        keep("unknown", "" if answer is None else f"the answer is {_kind(answer)}")

    def _hooks(self, folder: Path) -> HookCalls:
        return self.hooks({"resolve": {}}, folder)


def _add(far: Far, **attributes: str) -> str:
    if far.add is None:
        raise NotImplementedError("give Far(add=…), which puts a contact there")
    return far.add(**attributes)


def _kind(answer: Any) -> str:
    return "None" if answer is None else type(answer).__name__
