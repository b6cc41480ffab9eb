"""Raw bytes, out of files, folders, zip and tar archives; what is dangerous or damaged is refused by name.

Nothing is ever unpacked to disk, so no name inside an archive can lead anywhere.
"""

from data_prep.store.plain import TooLargeError
from data_prep.store.store import RawStore

__all__ = ["RawStore", "TooLargeError"]
