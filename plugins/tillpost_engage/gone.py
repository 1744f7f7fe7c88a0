"""Asks Engage which contacts were deleted. [sdk]: a published client shows the request, and no answer's shape."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from typing import Any

from tillpost.model import Delivered, Failure, MaybeSent, NoHints, NotSent
from tillpost_engage.answers import Answer, judge
from tillpost_engage.client import NO_SUCH_ENDPOINT, Client
from tillpost_engage.identifiers import is_contact_id

_SHORT = timedelta(hours=3)
"""What is asked for once more when the answer for a longer time was too long to be read."""


def contacts_gone(client: Client, since: datetime) -> frozenset[str] | NoHints | Failure:
    """Every text of the answer that could be a contactId."""
    answer = _ask(client, since)
    latest = datetime.now(UTC) - _SHORT
    if isinstance(answer, Answer) and answer.status == 200 and answer.kind == "other" and since < latest:
        answer = _ask(client, latest)
    if isinstance(answer, NotSent | MaybeSent):
        return answer
    if answer.status in (*NO_SUCH_ENDPOINT, 400):
        # Perhaps the address or key is wrong: others notice that, and a hint less for a day harms nobody.
        return NoHints(reason=f"answered {answer.status} for contacts/changes", status=answer.status)
    outcome = judge(answer, changes=False)
    return frozenset(_texts(answer.value)) if isinstance(outcome, Delivered) else outcome


def _ask(client: Client, since: datetime) -> Answer | NotSent | MaybeSent:
    # The client's time has no offset: the earlier one of what it may be, UTC or the local time.
    earlier = min(since.astimezone(UTC).replace(tzinfo=None), since.astimezone().replace(tzinfo=None))
    query = {"changeType": "Deleted", "fromDate": earlier.isoformat(" ", "milliseconds")}
    return client.get_v2("/contacts/changes", query)


def _texts(value: Any) -> Iterator[str]:
    """Those anywhere in it, names too, as they stand and in the small letters of Engage's own ids.

    Names like `contactIds` are among them: whoever asked looks for the ids it has.
    """
    left = [value]
    while left:
        one = left.pop()
        if isinstance(one, dict):
            left += [*one, *one.values()]
        elif isinstance(one, list):
            left += one
        elif isinstance(one, str) and is_contact_id(one):
            yield from {one, one.lower()}
