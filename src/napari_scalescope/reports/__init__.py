"""Reports: what was found, as a page and a table that stand by themselves."""

from .comparison import comparison_section, write_report
from .conclusions import conclusions
from .tables import comparison_as_dict

__all__ = ["comparison_as_dict", "comparison_section", "conclusions", "write_report"]
