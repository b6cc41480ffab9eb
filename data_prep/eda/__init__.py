"""``hypsweep eda``: a data set in figures, plots and pictures.

This package needs matplotlib, which takes a moment to import: import it where an EDA is asked for.
"""

from data_prep.eda.summary import EdaSummary
from data_prep.eda.write import PAGE_NAME, require_replaceable, write_eda

__all__ = ["PAGE_NAME", "EdaSummary", "require_replaceable", "write_eda"]
