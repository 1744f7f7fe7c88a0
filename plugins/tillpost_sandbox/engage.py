"""The tenant as a whole: its data, its settings, and what requests and timers do to it."""

import threading
import time
from collections import Counter, deque
from collections.abc import Callable, Iterable
from decimal import Decimal

import attrs

from tillpost_sandbox.faults import Faults
from tillpost_sandbox.files import ImportFolders
from tillpost_sandbox.imports import fingerprint, import_queue
from tillpost_sandbox.settings import Settings
from tillpost_sandbox.state import State


@attrs.define
class RateLimit:
    """Counts the requests of the last second per key. clock: monotonic seconds.

    Engage's limit is per API key, not per tenant (contract, section 1). A request that was answered 429 does
    not count against the limit, but does count in `peak`, the most requests one key made in a second.
    """

    clock: Callable[[], float]
    peak: int = 0
    _came: dict[str, deque[float]] = attrs.field(factory=dict)
    _admitted: dict[str, deque[float]] = attrs.field(factory=dict)

    def admit(self, key: str, limit: int) -> bool:
        """Count a request that came now; False when it exceeds the limit."""
        now = self.clock()
        came = self._recent(self._came, key, now)
        came.append(now)
        self.peak = max(self.peak, len(came))
        admitted = self._recent(self._admitted, key, now)
        if len(admitted) >= limit:
            return False
        admitted.append(now)
        return True

    def _recent(self, times: dict[str, deque[float]], key: str, now: float) -> deque[float]:
        recent = times.setdefault(key, deque())
        while recent and recent[0] <= now - 1.0:
            recent.popleft()
        return recent


@attrs.define
class Engage:
    """One tenant. Its methods may be called from any thread."""

    state: State
    folders: ImportFolders
    settings: Settings
    faults: Faults = attrs.field(factory=Faults)
    rate: RateLimit = attrs.field(factory=lambda: RateLimit(time.monotonic))
    requests: Counter[tuple[str, str]] = attrs.field(factory=Counter)
    created: int = 0
    create_duplicates: int = 0
    ended: bool = False
    wake: threading.Condition = attrs.field(factory=threading.Condition, repr=False)
    _reading: threading.Lock = attrs.field(factory=threading.Lock, repr=False)

    def change_settings(self, wanted: dict[str, object]) -> None:
        """Replace settings, and let the timers use the new intervals. Raises BadSettingError."""
        with self.wake:
            self.settings = self.settings.changed(wanted)
            self.wake.notify_all()

    def import_receipts(self) -> int:
        """Import what the API accepted, now."""
        return import_queue(self.state, self.settings)

    def import_files(self) -> int:
        """Read the import folders, now; one reading at a time."""
        with self._reading:
            return self.folders.read(self.state, self.settings)

    def repeat(self, setting: str, work: Callable[[], int]) -> None:
        """Do an import on the interval of its setting, until the end; the first is one interval from now."""
        last = time.monotonic()
        while True:
            with self.wake:
                # A changed interval counts from the last import: a shorter one takes effect at once.
                while (left := last + getattr(self.settings, setting) - time.monotonic()) > 0 and not self.ended:
                    self.wake.wait(min(left, 3600.0))
                if self.ended:
                    return
            try:
                work()
            except Exception as error:  # noqa: BLE001 - one bad file must not end the timer for good
                self.state.note("error", "import-failed", f"the import failed ({type(error).__name__})")
            last = time.monotonic()

    def end(self) -> None:
        """End the timers; an import that is under way goes on."""
        with self.wake:
            self.ended = True
            self.wake.notify_all()

    def count(self, route: str, status: str) -> None:
        """Count a request by its route and its result."""
        with self.state.lock:
            self.requests[route, status] += 1

    def stats(self) -> dict[str, object]:
        """The counts of GET /_sandbox/stats."""
        with self.state.lock:
            state = self.state
            requests: dict[str, dict[str, int]] = {}
            for (route, status), count in sorted(self.requests.items()):
                requests.setdefault(route, {})[status] = count
            receipts = list(state.receipts.values())
            routes = Counter(receipt.route for receipt in receipts)
            return {
                "requests": requests,
                "peak_rate": self.rate.peak,
                "contacts": sum(not contact.gone for contact in state.contacts.values()),
                "contacts_created": self.created,
                "create_duplicates": self.create_duplicates,
                "receipts": len(receipts),
                "receipts_api": routes["api"],
                "receipts_file": routes["file"],
                "queued": len(state.queue),
                "dropped": state.dropped,
                "ignored_duplicates": sum(map(len, state.ignored.values())),
                "duplicated": len(receipts) - len({fingerprint(receipt) for receipt in receipts}),
                "totalGrossPrice": _total(receipt.body["totalGrossPrice"] for receipt in receipts),
                "totalGrossPrice_queued": _total(receipt.body["totalGrossPrice"] for receipt in state.queue.values()),
            }


def _total(prices: Iterable[int | Decimal]) -> str:
    return format(sum((Decimal(price) for price in prices), Decimal(0)), "f")
