"""A test double of Engage: its HTTP API, its import folder, and faults on demand.

Written from the published contract of Voyado Engage, not from any client. See docs/integrators/sandbox.md.
"""

from tillpost_sandbox.sandbox import Sandbox, run

__all__ = ["Sandbox", "run"]
