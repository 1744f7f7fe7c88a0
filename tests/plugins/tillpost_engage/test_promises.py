"""The promise suites of resolver, transport and fallback, on Engage and its sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import attrs

from tillpost.testing import FakeDestination, FallbackSuite, MapSuite, ResolverSuite, TransportSuite
from tillpost_sandbox import Sandbox, contacts

KEY = "suite-key"
HOUR = 3600.0
FAULTS = {
    "reset": "reset-after-body",
    "page": "html",
    "error": "500",
    "throttle": "429",
    "key": "401",
    "address": "404",
}


@contextmanager
def sandbox(folder: Path, fault: str = "ok", **options: object) -> Iterator[Sandbox]:
    """A fresh one, whose API has this fault."""
    number = len(list(folder.glob("sandbox*")))
    with Sandbox(
        dir=folder / f"sandbox{number}",
        api_key=KEY,
        import_every=HOUR,
        import_files_every=HOUR,
        options=dict(options),
    ) as running:
        running.engage.faults.set({"http": fault})
        running._apply_faults()
        yield running


def transport(running: Sandbox) -> dict[str, Any]:
    return {"url": running.url, "api_key": KEY, "timeout": "1s"}


class TestEngageTransport(TransportSuite):
    plugin = "engage"
    secrets = (KEY,)
    deadline = 1.0

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        with sandbox(folder, FAULTS.get(fault, fault)) as running:
            state = running.engage.state

            def holds() -> list[str]:
                with state.lock:
                    return [receipt.unique_id for receipt in (*state.receipts.values(), *state.queue.values())]

            yield FakeDestination(uses={"transport": transport(running)}, holds=holds)


class TestEngageMap(MapSuite):
    plugin = "engage"


class TestEngageResolver(ResolverSuite):
    plugin = "engage"
    secrets = (KEY,)

    @contextmanager
    def destination(self, fault: str, folder: Path) -> Iterator[FakeDestination]:
        keys = ["externalId"] if fault == "duplicate" else ["externalId", "email"]
        with sandbox(folder, "refuse" if fault == "refuse" else "ok", duplicates="error") as running:
            state = running.engage.state

            def add(**attributes: str) -> str:
                kinds = ("Member", "Contact") if fault == "several" else ("Member",)
                created = [
                    contacts.create(state, running.engage.settings, {**attributes, "contactType": kind})[0]
                    for kind in kinds
                ]
                return created[0].id

            def holds() -> list[dict[str, Any]]:
                with state.lock:
                    return [attrs.asdict(one)["attributes"] | {"id": one.id} for one in state.contacts.values()]

            uses = {"resolve": {"keys": keys, "create": fault != "lookup"}, "transport": transport(running)}
            yield FakeDestination(uses=uses, holds=holds, add=add)


class TestEngageFiles(FallbackSuite):
    plugin = "engage-xml"
    map_plugin = "engage"
    few_lines = {"max_lines": 3}
