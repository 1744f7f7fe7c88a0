"""The settings of a sandbox, at its start and while it runs."""

from decimal import Decimal
from typing import Any

import attrs

DUPLICATES = ("existing", "error")
PRICE_BASES = ("line", "unit")
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
    ids, None for any. contacts_root, contacts_namespace: of a contacts file.
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

    def changed(self, wanted: dict[str, object]) -> "Settings":
        """These settings with the wanted ones replaced. Raises BadSettingError; then nothing is changed."""
        changes: dict[str, Any] = {key: _checked(key, value) for key, value in wanted.items()}
        return attrs.evolve(self, **changes)

    def public(self) -> dict[str, object]:
        """All settings except the API keys."""
        return attrs.asdict(self, filter=lambda field, _value: field.name != "api_keys")


def _checked(key: str, value: object) -> object:
    match key, value:
        case (("import_every" | "import_files_every"), bool()):
            pass
        case (("import_every" | "import_files_every"), int() | float() | Decimal()) if 0 < value < _FOR_EVER:
            return float(value)
        case "rate_limit", int() if value > 0 and not isinstance(value, bool):
            return value
        case "duplicates", str() if value in DUPLICATES:
            return value
        case "price_basis", str() if value in PRICE_BASES:
            return value
        case "stores", None:
            return None
        case "import_drops", list() if all(isinstance(item, str) for item in value):
            return tuple(value)
        case (("contact_types" | "stores" | "api_keys"), list()) if value and all(
            isinstance(item, str) and item for item in value
        ):
            return frozenset(value) if key == "api_keys" else tuple(value)
        case (("contacts_root" | "contacts_namespace"), str()) if value:
            return value
    known = {field.name for field in attrs.fields(Settings)}
    if key not in known:
        raise BadSettingError(f"{key}: unknown setting; known are {', '.join(sorted(known))}")
    raise BadSettingError(f"{key}: {_EXPECTED[key]}")


_EXPECTED = {
    "api_keys": "a list of texts, at least one",
    "import_every": "seconds, a number over 0",
    "import_files_every": "seconds, a number over 0",
    "import_drops": "a list of texts",
    "rate_limit": "requests a second, a whole number over 0",
    "duplicates": "existing or error",
    "price_basis": "line or unit",
    "contact_types": "a list of texts, at least one",
    "stores": "a list of external ids, or null for any store",
    "contacts_root": "the name of an element",
    "contacts_namespace": "a namespace",
}
