"""The settings of a sandbox, at its start and while it runs."""

from collections.abc import Callable
from decimal import Decimal
from typing import Any
from zlib import crc32

import attrs

_FOR_EVER = 10**9  # seconds; more would overflow what a timer can wait


class BadSettingError(ValueError):
    """An unknown setting, or a value it cannot have; the text lists what is possible."""


@attrs.frozen
class Settings:
    """The sandbox's options; where the contract is open, the default is the one it names.

    import_every: seconds between imports of receipts that came by API (Engage: about 15 minutes).
    import_files_every: seconds between readings of the import folders (Engage: about hourly).
    rate_limit: requests in any sliding second and API key before 429 (Engage: 200).
    duplicates: what POST contacts answers for a key that exists: `existing` gives the first contact's id,
    `error` is a 409. price_basis: whether grossPaidPrice is for the whole `line` or one `unit`.
    import_drops: attributes that the import of a contacts file leaves out without an error.
    contact_types: the tenant's contact types; the first is the default. stores: the known stores' external
    ids, None for any. contacts_root, contacts_namespace: of a contacts file. undocumented: what routes answer that
    no public documentation has: `ok`, or a status with which a tenant does not have them. ignore: uniqueReceiptIds
    that the import leaves out, as a rule of the tenant does; ignore_share: the share of all that it leaves out.
    """

    api_keys: frozenset[str] = attrs.field(repr=False)
    import_every: float = 900.0
    import_files_every: float = 5.0
    rate_limit: int = 200
    duplicates: str = "existing"
    price_basis: str = "line"
    import_drops: tuple[str, ...] = ()
    contact_types: tuple[str, ...] = ("Member", "Contact")
    stores: tuple[str, ...] | None = None
    contacts_root: str = "contacts"
    contacts_namespace: str = "http://eClub.Schemas.ImportMember"
    undocumented: str = "ok"
    ignore: tuple[str, ...] = ()
    ignore_share: float = 0.0

    def ignores(self, unique_id: str) -> bool:
        """Whether a rule of the tenant leaves this receipt out."""
        return unique_id in self.ignore or crc32(unique_id.encode()) % 10_000 < round(self.ignore_share * 10_000)

    def changed(self, wanted: dict[str, object]) -> "Settings":
        """These settings with the wanted ones replaced. Raises BadSettingError; then nothing is changed."""
        changes: dict[str, Any] = {key: _checked(key, value) for key, value in wanted.items()}
        return attrs.evolve(self, **changes)

    def public(self) -> dict[str, object]:
        """All settings except the API keys."""
        return attrs.asdict(self, filter=lambda field, _value: field.name != "api_keys")


def _is_seconds(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and 0 < value < _FOR_EVER


def _is_share(value: Any) -> bool:
    return isinstance(value, (int, float, Decimal)) and not isinstance(value, bool) and 0 <= value <= 1


def _are_texts(value: Any) -> bool:
    return isinstance(value, list) and bool(value) and all(isinstance(item, str) and item for item in value)


def _is_text(value: Any) -> bool:
    return isinstance(value, str) and bool(value)


_ALLOWED: dict[str, tuple[str, Callable[[Any], bool], Callable[[Any], object]]] = {
    "api_keys": ("a list of texts, at least one", _are_texts, frozenset),
    "import_every": ("seconds, a number over 0", _is_seconds, float),
    "import_files_every": ("seconds, a number over 0", _is_seconds, float),
    "import_drops": (
        "a list of texts",
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        tuple,
    ),
    "rate_limit": ("requests a second, a whole number over 0", lambda value: type(value) is int and value > 0, int),
    "duplicates": ("existing or error", lambda value: value in ("existing", "error"), str),
    "price_basis": ("line or unit", lambda value: value in ("line", "unit"), str),
    "contact_types": ("a list of texts, at least one", _are_texts, tuple),
    "stores": (
        "a list of external ids, or null for any store",
        lambda value: value is None or _are_texts(value),
        lambda value: value and tuple(value),
    ),
    "undocumented": ("ok, 403, 404 or 405", lambda value: value in ("ok", "403", "404", "405"), str),
    "ignore": (
        "a list of uniqueReceiptIds",
        lambda value: isinstance(value, list) and all(isinstance(item, str) for item in value),
        tuple,
    ),
    "ignore_share": ("a number from 0 to 1", _is_share, float),
    "contacts_root": ("the name of an element", _is_text, str),
    "contacts_namespace": ("a namespace", _is_text, str),
}
"""Setting → what it can be in words, whether a value is that, and the form in which it is kept."""


def _checked(key: str, value: object) -> object:
    if key not in _ALLOWED:
        raise BadSettingError(f"{key}: unknown setting; known are {', '.join(sorted(_ALLOWED))}")
    expected, is_allowed, kept = _ALLOWED[key]
    if not is_allowed(value):
        raise BadSettingError(f"{key}: {expected}")
    return kept(value)
