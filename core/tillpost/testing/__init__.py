"""The promise suites a vendor subclasses, one for each slot: what a plugin in it must keep.

They run under pytest (`pip install 'tillpost[testing]'`), which is imported when a promise is tried and not before.
"""

from tillpost.testing.adapter import AdapterSuite
from tillpost.testing.destination import FakeDestination
from tillpost.testing.fallback import FallbackSuite
from tillpost.testing.mapping import AmendSuite, MapSuite
from tillpost.testing.observe import ObserveSuite
from tillpost.testing.prescribed import PRESCRIBED_SALES, Sale, SaleLine
from tillpost.testing.resolver import MemorySuite, ResolverSuite
from tillpost.testing.source import SourceSuite
from tillpost.testing.source_trial import FakeOrigin
from tillpost.testing.transfer import TransferSuite
from tillpost.testing.transport import TransportSuite

__all__ = [
    "PRESCRIBED_SALES",
    "AdapterSuite",
    "AmendSuite",
    "FakeDestination",
    "FakeOrigin",
    "FallbackSuite",
    "MapSuite",
    "MemorySuite",
    "ObserveSuite",
    "ResolverSuite",
    "Sale",
    "SaleLine",
    "SourceSuite",
    "TransferSuite",
    "TransportSuite",
]
