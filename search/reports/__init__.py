"""What an experiment came to, as a page that anybody can read."""

from search.reports.write import ReportPaths, write_report

__all__ = ["ReportPaths", "write_report"]
