"""The doctor of the journal: it also reads a damaged file, which SQLite refuses."""

from tillpost.journal.sqlite.doctor.backup import Backed, backup
from tillpost.journal.sqlite.doctor.compact import Compacted, compact
from tillpost.journal.sqlite.doctor.damage import Damage
from tillpost.journal.sqlite.doctor.export import export
from tillpost.journal.sqlite.doctor.reading import copied
from tillpost.journal.sqlite.doctor.repair import Repaired, repair
from tillpost.journal.sqlite.doctor.restore import Restored, restore
from tillpost.journal.sqlite.doctor.stats import stats
from tillpost.journal.sqlite.doctor.verify import Verified, verify

__all__ = [
    "Backed",
    "Compacted",
    "Damage",
    "Repaired",
    "Restored",
    "Verified",
    "backup",
    "compact",
    "copied",
    "export",
    "repair",
    "restore",
    "stats",
    "verify",
]
