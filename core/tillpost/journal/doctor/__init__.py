"""The journal's doctor: verify, stats, export, repair and compact. Works on a file that SQLite itself gives up."""

from tillpost.journal.doctor.compact import Compacted, compact
from tillpost.journal.doctor.damage import Damage
from tillpost.journal.doctor.export import export
from tillpost.journal.doctor.repair import Repaired, repair
from tillpost.journal.doctor.stats import stats
from tillpost.journal.doctor.verify import Verified, verify

__all__ = ["Compacted", "Damage", "Repaired", "Verified", "compact", "export", "repair", "stats", "verify"]
