"""Voyado Engage by its HTTP API: contacts, the receipt's shape, delivery. `engage-xml` writes its import files."""

from __future__ import annotations

from collections.abc import Sequence

from tillpost import ConfigurationError, Context, Finding, Plugin, Use
from tillpost_engage.client import Client
from tillpost_engage.contacts import Contacts
from tillpost_engage.payload import Mapping
from tillpost_engage.settings import MapSettings, ResolveSettings, TransportSettings
from tillpost_engage.transport import Transport


def _build(uses: Sequence[Use], context: Context) -> Sequence[object]:
    """One object for each use; those that make requests share the client of the transport."""
    transport = next((use.settings for use in uses if use.slot == "transport"), None)
    client = Client(transport, context.budget(transport.api_key, transport.rate)) if transport else None
    built: list[object] = []
    for use in uses:
        if use.slot == "map":
            built.append(Mapping(use.settings))
        elif client is None:
            raise ConfigurationError(
                Finding(
                    key=use.slot,
                    message="looks contacts up in Engage, but no transport `engage` says where Engage is.",
                    next_step='Add transport = { use = "engage", url = "…", api_key = { env = "…" } }.',
                )
            )
        elif use.slot == "resolve":
            built.append(Contacts(use.settings, client))
        else:
            built.append(Transport(client))
    return built


plugin = Plugin(
    summary="Voyado Engage by its HTTP API: contacts, receipts, delivery",
    slots={"resolve": ResolveSettings, "map": MapSettings, "transport": TransportSettings},
    build=_build,
)
