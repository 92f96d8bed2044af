"""Pages for a browser, one file each: HTML by Jinja2, charts by matplotlib, no script, nothing from elsewhere."""

from .charts import Bar, Line, bars, lines
from .page import render_page, write_page

__all__ = ["Bar", "Line", "bars", "lines", "render_page", "write_page"]
