"""The faults of a step, and the boundaries at which the process may be killed."""

from __future__ import annotations

from collections import deque
from collections.abc import Iterable

import attrs

API_FAULTS = ("refused", "hang", "lost", "503", "502", "504", "429", "401", "page", "race")
"""refused: no connection; hang: not received, and no answer; lost, 504: done, and the answer is lost; 502: not done;
page: a captive portal; race: the web shop registers the e-mail a moment before the contact is created."""
API_OUTAGES = ("refused", "hang", "503", "502", "401", "lost")
FILE_FAULTS = ("refused", "cut", "denied", "taken", "unsure")
"""refused: no connection; cut: half of the file arrived under the temporary name; unsure: renamed, and no answer after
that; denied: the login fails; taken: the import reads it at once."""
FILE_OUTAGES = ("refused", "denied", "cut")


class Killed(BaseException):
    """The process ends here, as by kill -9. No handler of an Exception sees it."""


@attrs.define
class Faults:
    """Lasting outages, the faults of the current step in order, and the count of boundaries it has crossed."""

    api: str = "ok"
    files: str = "ok"
    requests: deque[str] = attrs.field(factory=deque)
    transfers: deque[str] = attrs.field(factory=deque)
    kill_at: int = 0
    """The number of the boundary at which the process is killed; 0: none."""
    full_at: int = 0
    """The number of the commit that finds the disk full; 0: none."""
    crossed: int = 0
    commits: int = 0
    where: str = ""

    def arm(self, requests: Iterable[str], transfers: Iterable[str], kill_at: int, full_at: int) -> None:
        """Set the faults of the next step."""
        self.requests = deque(requests)
        self.transfers = deque(transfers)
        self.kill_at, self.full_at = kill_at, full_at
        self.crossed = self.commits = 0

    def disarm(self) -> None:
        """The step is over; outages last."""
        self.arm((), (), 0, 0)

    def end(self) -> None:
        """Everything works from now on."""
        self.disarm()
        self.api = self.files = "ok"

    def request(self) -> str:
        """The fault of the next request, or "ok"."""
        if self.api != "ok":
            return self.api
        return self.requests.popleft() if self.requests else "ok"

    def transfer(self) -> str:
        """The fault of the next call to the file server, or "ok"."""
        if self.files != "ok":
            return self.files
        return self.transfers.popleft() if self.transfers else "ok"

    def cross(self, where: str) -> None:
        """A boundary at which the process may be killed."""
        self.crossed += 1
        if self.crossed == self.kill_at:
            self.where = where
            raise Killed(where)

    def commit(self) -> bool:
        """Whether the commit about to be made finds room."""
        self.commits += 1
        return self.commits != self.full_at
