"""The routes of the API by path and method, and the check of the key.

Source: contract, section 2; the v2 paths are those of the published client.
"""

import hmac
import re
from collections.abc import Callable
from functools import partial
from urllib.parse import unquote

from tillpost_sandbox import api
from tillpost_sandbox.engage import Engage
from tillpost_sandbox.request import Answer, RefusalError, Request

_PREFIX = re.compile(r"/api/(v[23])(/.*)")
_VERSION = re.compile(r"/api/v[23]")
_PREFERENCE = r"(?P<preference>acceptsEmail|acceptsSms|acceptsPostal)"
_ROUTES: list[tuple[str, str, str, api.Handler]] = [
    ("v2 v3", "GET", "/contacts/id", api.find_id),
    ("v3", "GET", "/contacts/id-lookup", api.find_several),
    ("v2 v3", "GET", "/contacts/count", api.count),
    ("v2 v3", "GET", "/contacts/changes", api.changes),
    ("v2 v3", "POST", "/contacts", api.create),
    ("v2 v3", "GET", "/contacts/{contactType}/count", api.count),
    ("v2", "GET", "/contacts/{contactType}/bykey", api.by_key),
    ("v2", "GET", "/contacts/{contactType}/bykey/{keyValue}", api.by_key),
    ("v2", "GET", "/contacts/{contactType}/byexternalid/{keyValue}", api.by_key),
    ("v2 v3", "GET", "/contacts/{contactId}", api.read),
    ("v3", "PATCH", "/contacts/{contactId}", api.update),
    ("v2", "POST", "/contacts/{contactId}", api.update),
    ("v2 v3", "DELETE", "/contacts/{contactId}", api.remove),
    ("v2 v3", "POST", "/contacts/{contactId}/updateContactType", api.change_type),
    ("v2", "POST", "/contacts/{contactId}/promoteToMember", api.change_type),
    ("v2 v3", "POST", "/contacts/{contactId}/preferences/" + _PREFERENCE, api.prefer),
    ("v2 v3", "GET", "/contacts/{contactId}/transactions", api.history),
    ("v2 v3", "POST", "/receipts", api.save_receipt),
    ("v2 v3", "GET", "/stores", api.stores),
]


_DOCUMENTED = (
    "GET /contacts/id",
    "POST /contacts",
    "PATCH /contacts/{contactId}",
    "POST /contacts/{contactId}/updateContactType",
    "POST /receipts",
)
"""What the vendor's public documentation has (contract, section 2, [doc])."""

_TABLE = [
    (
        versions.split(),
        method,
        path.replace(_PREFERENCE, "{preference}"),
        re.compile(re.sub(r"\{(\w+)\}", r"(?P<\1>[^/]+)", path)),
        handler,
    )
    for versions, method, path, handler in _ROUTES
]


def answer(engage: Engage, request: Request) -> tuple[str, Answer]:
    """Check the key and the rate, then call the handler; returns route (for statistics) and answer."""
    route, work = _routed(engage, request)
    try:
        key = request.headers.get("apikey", "")
        if not any(hmac.compare_digest(key.encode(), known.encode()) for known in engage.settings.api_keys):
            raise RefusalError(401, "Unauthorized", "the apikey header is missing or is not a key of this tenant")
        with engage.state.lock:
            limit = engage.settings.rate_limit
            if not engage.rate.admit(key, limit):
                refusal = RefusalError(429, "TooManyRequests", f"over {limit} requests a second")
                return route, refusal.answer(("Retry-After", "1"))
            is_absent = route != "unknown" and _VERSION.sub("", route) not in _DOCUMENTED
            if is_absent and engage.settings.undocumented != "ok":
                raise RefusalError(int(engage.settings.undocumented), "NoSuchRoute", "this tenant has no such route")
            return route, work()
    except RefusalError as refusal:
        return route, refusal.answer()


def _routed(engage: Engage, request: Request) -> tuple[str, Callable[[], Answer]]:
    found = _PREFIX.fullmatch(request.path)
    version, rest = (found[1], found[2]) if found else ("", "")
    for versions, method, path, pattern, handler in _TABLE:
        match = pattern.fullmatch(rest)
        if match and version in versions and method == request.method:
            given = {name: unquote(value) for name, value in match.groupdict().items()}
            return f"{method} /api/{version}{path}", partial(handler, api.Call(engage, request, version, given))
    return "unknown", _no_route


def _no_route() -> Answer:
    raise RefusalError(404, "NoSuchRoute", "the API has no such path and method")
