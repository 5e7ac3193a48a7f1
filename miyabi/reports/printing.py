"""A report as text, in each of its formats. Pure."""

from __future__ import annotations

from datetime import tzinfo
from typing import Literal

from miyabi.reports.as_json import json_of
from miyabi.reports.html import html_of
from miyabi.reports.markdown import markdown_of
from miyabi.reports.report import Report
from miyabi.reports.sections import document_of


def printed(report: Report, form: Literal["md", "html", "json"], zone: tzinfo | None = None) -> str:
    """The text of a report.

    + zone: of the reader; None is this machine's
    """
    if form == "json":
        return json_of(report)
    document = document_of(report, zone)
    return html_of(document) if form == "html" else markdown_of(document)
