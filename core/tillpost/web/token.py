"""The token in the state folder, the cookie derived from it, and the value in each form."""

from __future__ import annotations

import hmac
import os
import secrets
from pathlib import Path

from tillpost.errors import TillpostError

FILE = "status.token"


class Token:
    """One secret. Cookie and forms carry values derived from it, never itself."""

    def __init__(self, text: str) -> None:
        self._key = text.encode()
        self.cookie = self._derived("cookie")
        self.form = self._derived("form")

    @classmethod
    def kept_in(cls, folder: Path) -> Token:
        """Read `status.token` of the state folder; create it, for its owner only, when there is none.

        Raises TillpostError when the file cannot be used.
        """
        path = folder / FILE
        try:
            folder.mkdir(mode=0o700, parents=True, exist_ok=True)
            try:
                descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            except FileExistsError:
                text = path.read_text(encoding="utf-8").strip()
            else:
                text = secrets.token_urlsafe(32)
                with os.fdopen(descriptor, "w") as file:
                    file.write(text + "\n")
            readable = path.stat().st_mode & 0o077
        except (OSError, UnicodeDecodeError) as error:
            raise TillpostError(f"{path} cannot be used: {getattr(error, 'strerror', None) or 'no text'}") from None
        if len(text) < 20:
            raise TillpostError(
                f"{path} does not have a token of 20 characters or more; delete it, and a new one is created"
            )
        if readable:
            raise TillpostError(f"{path} can be read by others; `chmod 600` it, or delete it, and a new one is created")
        return cls(text)

    def _derived(self, what: str) -> str:
        return hmac.digest(self._key, f"tillpost status page, {what}".encode(), "sha256").hex()

    def is_token(self, given: str) -> bool:
        """Whether it is the token; compared in constant time, as below."""
        return hmac.compare_digest(given.strip().encode(), self._key)

    def is_cookie(self, given: str) -> bool:
        """Whether it is the cookie of a signed-in browser."""
        return hmac.compare_digest(given.encode(), self.cookie.encode())

    def is_form(self, given: str) -> bool:
        """Whether a form comes from a page that a signed-in browser got."""
        return hmac.compare_digest(given.encode(), self.form.encode())
