"""A report of sections, each written by its own benchmark."""

from __future__ import annotations

import re
from pathlib import Path

from talkwalk.files import atomic_file

TITLE = "# Performance\n\nMeasured, not promised: every section names its command and its machine.\n"


def write_section(report: Path, heading: str, body: str) -> None:
    """Replace the section `## heading` of the report, or add it; other sections stay as they are."""
    text = report.read_text(encoding="utf-8") if report.is_file() else TITLE
    section = f"## {heading}\n\n{body.strip()}\n"
    pattern = re.compile(rf"^## {re.escape(heading)}\n.*?(?=^## |\Z)", re.MULTILINE | re.DOTALL)
    if pattern.search(text):
        text = pattern.sub(lambda found: section + ("\n" if found.end() < len(text) else ""), text)
    else:
        text = f"{text.rstrip()}\n\n{section}"
    with atomic_file(report) as temporary:
        temporary.write_text(text, encoding="utf-8")
