"""The faults set by POST /_sandbox/faults."""

import threading

import attrs

HTTP_FAULTS = (
    "ok",
    "500",
    "429",
    "401",
    "404",
    "hang",  # the request is read and never answered, nothing is changed
    "refuse",  # the port does not listen
    "reset-after-body",  # the request takes effect, then the connection is reset without an answer
    "half",  # the request takes effect, the answer breaks off in its middle
    "slow",  # the request takes effect, the answer comes one byte at a time
    "html",  # 200 with a page, as a captive portal answers
    "redirect",  # 301 to another host
)
SFTP_FAULTS = ("ok", "refuse", "cut")


class BadFaultError(ValueError):
    """An unknown fault, or a value it cannot have; the text lists those there are."""


@attrs.frozen
class Fault:
    """One kind of fault, and how often it still happens (None: until it is lifted).

    retry_after: the header of a 429, any text, so that clients can be tested with invalid ones; None leaves
    it out. drip: seconds between two bytes of a slow answer. after: bytes of an upload before the cut.
    """

    kind: str = "ok"
    count: int | None = None
    retry_after: str | None = "1"
    drip: float = 1.0
    after: int | None = None


@attrs.define
class Faults:
    """The faults in force, readable without being counted. Methods may be called from any thread."""

    http: Fault = Fault()
    sftp: Fault = Fault()
    _lock: threading.Lock = attrs.field(factory=threading.Lock, repr=False)
    _lifted: threading.Event = attrs.field(factory=threading.Event, repr=False)

    def set(self, wanted: dict[str, object]) -> None:
        """Set the named faults and release every hanging request. Raises BadFaultError."""
        faults = _read(wanted)
        with self._lock:
            self.http = faults.get("http", self.http)
            self.sftp = faults.get("sftp", self.sftp)
            self._lifted.set()
            self._lifted = threading.Event()

    def take_http(self) -> tuple[Fault, threading.Event]:
        """The fault for the request at hand, counted, and the event that ends it when it is a `hang`."""
        with self._lock:
            fault, self.http = self.http, _used(self.http)
            return fault, self._lifted

    def take_sftp_cut(self) -> bool:
        """Whether to cut the upload at hand now; counted."""
        with self._lock:
            if self.sftp.kind != "cut":
                return False
            self.sftp = _used(self.sftp)
            return True

    def public(self) -> dict[str, object]:
        """What is in force, as POST and GET /_sandbox/faults answer it."""
        http, sftp = self.http, self.sftp
        return {"http": http.kind, "http_count": http.count, "sftp": sftp.kind, "sftp_count": sftp.count}


def _used(fault: Fault) -> Fault:
    if fault.count is None:
        return fault
    return attrs.evolve(fault, count=fault.count - 1) if fault.count > 1 else Fault()


def _read(wanted: dict[str, object]) -> dict[str, Fault]:
    known = ("http", "sftp", "count", "retry_after", "drip", "after")
    if unknown := set(wanted).difference(known):
        raise BadFaultError(f"{', '.join(sorted(unknown))}: unknown; give {', '.join(known[:-1])} or {known[-1]}")
    kinds = {side: kind for side in ("http", "sftp") if (kind := wanted.get(side)) is not None}
    if not kinds:
        raise BadFaultError("give http or sftp: which side shall fail")
    for side, kind in kinds.items():
        if kind not in (allowed := HTTP_FAULTS if side == "http" else SFTP_FAULTS):
            raise BadFaultError(f"{side}: one of {', '.join(allowed)}")
    count = wanted.get("count")
    if count is not None and (not isinstance(count, int) or isinstance(count, bool) or count < 1):
        raise BadFaultError("count: a whole number over 0")
    if count is not None and "refuse" in kinds.values():
        raise BadFaultError(
            "count: not possible with refuse, because refused connections cannot be counted; lift it by ok"
        )
    retry_after = wanted.get("retry_after", "1")
    if retry_after is not None and not isinstance(retry_after, str):
        raise BadFaultError("retry_after: a text, or null for no header")
    drip, after = _number(wanted, "drip", 1.0), _number(wanted, "after", None)
    fault = Fault(count=count, retry_after=retry_after, drip=drip or 0.0, after=None if after is None else int(after))
    return {side: attrs.evolve(fault, kind=str(kind)) for side, kind in kinds.items()}


def _number(wanted: dict[str, object], key: str, default: float | None) -> float | None:
    value = wanted.get(key, default)
    if value is None:
        return None
    try:
        number = float(str(value))
    except ValueError:
        number = -1.0
    if isinstance(value, bool) or not 0 <= number < 1e9:
        raise BadFaultError(f"{key}: a number of at least 0")
    return number
