"""A plugin whose import fails, as one does whose library is gone."""

import a_library_nobody_has  # type: ignore[import-not-found] # noqa: F401
