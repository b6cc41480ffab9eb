"""What a sweep found, as one page for people: figures, plots and tables out of its study."""

from search.report.write import REPORT, write_report

__all__ = ["REPORT", "write_report"]
