"""The journal's doctor: verify, stats, export and repair. Works on a file that SQLite itself gives up."""

from tillpost.journal.doctor.damage import Damage
from tillpost.journal.doctor.export import export
from tillpost.journal.doctor.repair import Repaired, repair
from tillpost.journal.doctor.stats import stats
from tillpost.journal.doctor.verify import Verified, verify

__all__ = ["Damage", "Repaired", "Verified", "export", "repair", "stats", "verify"]
