"""The journal's doctor: it works on a file that SQLite itself gives up."""

from tillpost.journal.doctor.backup import Backed, backup
from tillpost.journal.doctor.compact import Compacted, compact
from tillpost.journal.doctor.damage import Damage
from tillpost.journal.doctor.export import export
from tillpost.journal.doctor.repair import Repaired, repair
from tillpost.journal.doctor.restore import Restored, restore
from tillpost.journal.doctor.stats import stats
from tillpost.journal.doctor.verify import Verified, verify

__all__ = [
    "Backed",
    "Compacted",
    "Damage",
    "Repaired",
    "Restored",
    "Verified",
    "backup",
    "compact",
    "export",
    "repair",
    "restore",
    "stats",
    "verify",
]
