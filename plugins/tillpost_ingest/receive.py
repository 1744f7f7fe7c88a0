"""Handles a request, from its headers to its answer. It knows HTTP; the core knows receipts."""

from __future__ import annotations

import json
import logging
import re
import threading
from collections.abc import Callable, Mapping
from contextlib import AbstractContextManager, nullcontext
from datetime import UTC, datetime

import attrs

from tillpost import Busy, Clock, DocumentError, JournalError, JournalFull, KeyBusy, KeyTaken, Stopped, TillpostError
from tillpost.model import Document
from tillpost_ingest.body import check_type, too_large, unpack
from tillpost_ingest.problem import Answer, Problem, later
from tillpost_ingest.senders import Senders

PATH = re.compile(r"/v1/([a-z0-9][a-z0-9_-]*)/receipts", re.ASCII)
_IDEMPOTENCY_KEY = re.compile(r"[!-~](?:[ -~]{0,253}[!-~])?", re.ASCII)
_SOON, _LATER = 5.0, 60.0
"""Seconds after which to send again: when a commit failed or the process stops, and when the disk is full."""
_LOG_EVERY = 900.0
"""Seconds between two log lines about requests refused for the same reason."""
_REFUSED = {
    "unauthorized", "length-required", "bad-length", "too-large", "unsupported-type",
    "unsupported-encoding", "bad-gzip", "empty", "bad-key", "key-taken",
}  # fmt: skip
"""Kinds of problems that stay when the same is sent again; a document that cannot be read is in the journal."""
_log = logging.getLogger("tillpost.ingest")


@attrs.frozen
class Request:
    """A request whose headers have arrived. Headers are named in lower case.

    read: that many bytes of the body, or fewer when the sender is gone; called once. large: held while more than a
    small body is in memory.
    """

    method: str
    path: str
    headers: Mapping[str, str]
    read: Callable[[int], bytes]
    large: Callable[[], AbstractContextManager[None]]


@attrs.define(eq=False)
class Endpoint:
    """Receives for one pipeline."""

    accept: Callable[[Document], Mapping[str, int]]
    senders: Senders
    clock: Clock
    largest: int
    pipeline: str
    _log_due: dict[str, float] = attrs.field(factory=dict, init=False)
    """When a refusal may be logged again, by its reason."""
    _idle: threading.Condition = attrs.field(factory=threading.Condition, init=False)
    _inside: int = attrs.field(default=0, init=False)
    _closed: bool = attrs.field(default=False, init=False)

    def answer(self, request: Request) -> Answer:
        """Take the body and accept it. Raises Problem."""
        with self._idle:
            if self._closed:
                raise later(503, "stopping", "the receiver is stopping; send it again", _SOON)
            self._inside += 1
        try:
            return self._answer(request)
        except Problem as problem:
            if problem.kind in _REFUSED:
                self._log_refused(problem.status, problem.detail)
            raise
        finally:
            with self._idle:
                self._inside -= 1
                if self._closed:
                    self._idle.notify_all()

    def close(self) -> None:
        """Refuse further requests; returns when those in flight are answered."""
        with self._idle:
            self._closed = True
            self._idle.wait_for(lambda: not self._inside)

    def _answer(self, request: Request) -> Answer:
        headers = request.headers
        sender = self.senders.by_key(headers)
        length = _length(headers, self.largest)
        packed = check_type(headers)
        key = _key(headers.get("idempotency-key"))
        is_large = length > SMALL or (packed and length > SMALL_PACKED)
        with request.large() if is_large else nullcontext():
            return self._take(request, sender, key, length, packed)

    def _take(self, request: Request, sender: str | None, key: str, length: int, packed: bool) -> Answer:
        body = request.read(length)
        if len(body) < length:
            raise Problem(400, "incomplete", "the body ended before its Content-Length", close=True)
        webhook = False
        if sender is None:
            signer = self.senders.by_signature(request.headers, body, self.clock.time())
            if signer.handshake:
                return _counted(200, {})
            sender, webhook = signer.sender, signer.vendor is not None
            # A vendor signs no id: its repetitions are known by their content.
            key = "" if webhook else key or _key(signer.identity)
        if packed:
            body = unpack(body, self.largest)
        if not body:
            raise Problem(400, "empty", "the body is empty")
        return self._hand_over(sender, key, body, webhook)

    def _hand_over(self, sender: str, key: str, body: bytes, webhook: bool) -> Answer:
        """webhook: a vendor sends it, who repeats what is refused and then takes its subscription away."""
        document = attrs.evolve(Document.from_bytes("", body, f"{sender}:{key}" if key else ""), keep=webhook)
        at = datetime.fromtimestamp(self.clock.time(), UTC).strftime("%Y-%m-%dT%H%M%SZ")
        name = f"{at}-{document.sha256[:12]}"
        document = attrs.evolve(document, name=f"{sender}/{name}" if sender else name)
        try:
            counts = self.accept(document)
        except DocumentError as error:
            if webhook:  # it is set aside here, with its content; sent again it would be no better
                return _counted(200, error.counts, sha256=document.sha256, set_aside=True)
            accepted = {name: error.counts.get(name, 0) for name in COUNTS}
            members = {"place": error.place, "sha256": document.sha256, "before_the_fault": accepted}
            raise Problem(422, "unreadable", str(error), members=members) from None
        except KeyTaken:
            raise Problem(422, "key-taken", "this key was used with another body before") from None
        except KeyBusy:
            raise Problem(409, "in-flight", "a request with this key is being handled; send it again") from None
        except Busy as error:
            raise later(429, "busy", str(error), error.after) from None
        except JournalFull:
            raise later(507, "disk-full", "there is no room on the disk; nothing more was accepted", _LATER) from None
        except (JournalError, Stopped):
            raise later(503, "not-committed", "it could not be committed; send it again", _SOON) from None
        except (TillpostError, OSError):
            raise Problem(500, "failed", "the receiver could not read it; its log says why") from None
        return _counted(200 if webhook else 202, counts, sha256=document.sha256)

    def _log_refused(self, status: int, why: str) -> None:
        """Tell that somebody is refused, once in a while: they may be ours, and nobody may read what they are told."""
        now = self.clock.monotonic()
        if now >= self._log_due.get(why, float("-inf")):
            self._log_due[why] = now + _LOG_EVERY
            _log.warning("pipeline %s: ingest: a request is refused (%d): %s", self.pipeline, status, why)


SMALL = 1 << 20
"""Bytes up to which a body counts as small; only a few larger ones are in memory at once."""
SMALL_PACKED = 16 << 10
"""The same for a packed body: unpacked it has at most about a thousand times as many bytes."""
COUNTS = ("accepted", "duplicates", "skipped", "ignored", "held")


def _counted(status: int, counts: Mapping[str, int], **more: object) -> Answer:
    body = {name: counts.get(name, 0) for name in COUNTS} | more
    return Answer(status, {"Content-Type": "application/json"}, json.dumps(body).encode())


def answer(request: Request, endpoints: Mapping[str, Endpoint]) -> Answer:
    """The answer to any request; an error is a problem document. endpoints: by pipeline."""
    try:
        found = PATH.fullmatch(request.path)
        endpoint = endpoints.get(found[1]) if found else None
        if endpoint is None:
            raise Problem(
                404, "not-found", "the address is /v1/PIPELINE/receipts, for each pipeline that listens", close=True
            )
        if request.method != "POST":
            raise Problem(405, "method", "receipts are sent by POST", {"Allow": "POST"}, close=True)
        return endpoint.answer(request)
    except Problem as problem:
        return problem.answer()


def _length(headers: Mapping[str, str], largest: int) -> int:
    given = headers.get("content-length")
    if given is None or "transfer-encoding" in headers:
        raise Problem(411, "length-required", "send the body with its Content-Length, not in chunks", close=True)
    if not (given.isascii() and given.isdigit()):
        raise Problem(400, "bad-length", "Content-Length is not a number of bytes", close=True)
    if len(given) > 18 or int(given) > largest:
        raise too_large(largest)
    return int(given)


def _key(header: str | None) -> str:
    """The key in `Idempotency-Key` (draft-ietf-httpapi-idempotency-key-header: in quotes) or `webhook-id`; "": none."""
    if header is None:
        return ""
    key = header.strip()
    if len(key) > 2 and key.startswith('"') and key.endswith('"'):
        key = key[1:-1]
    if not _IDEMPOTENCY_KEY.fullmatch(key):
        raise Problem(400, "bad-key", "a key has 1 to 255 visible ASCII characters", close=True)
    return key
