"""`reports/performance.md`: one section per benchmark, each replaced whole by its own run."""

from __future__ import annotations

import os
import platform
import re
from pathlib import Path

import torch

from talkwalk.files import atomic_file
from talkwalk.llm.cores import usable_cores

REPORT = Path(__file__).parent.parent / "reports" / "performance.md"
OPENING = """# Performance

Written by the scripts in `benchmarks/`; every section names the command that made it. Machines differ, so what counts
are ratios within one run: medians of interleaved repetitions.
"""


def write_section(name: str, command: str, body: str, *, path: Path = REPORT) -> None:
    """Replace the section `## name`, or append it; other sections stay as they are.

    Args:
        name: Heading, one line.
        command: What makes this section.
        body: Markdown without headings of the first or second level.
        path: The report.

    Raises:
        ValueError: If the name is no heading, or the body would begin another section.
    """
    if not name.strip() or "\n" in name:
        raise ValueError(f"name must be one line, got {name!r}")
    if re.search(r"^#{1,2} ", body, re.MULTILINE):
        raise ValueError(f"body must have no headings of the first or second level, got one in section {name!r}")
    text = path.read_text(encoding="utf-8") if path.is_file() else OPENING
    section = f"## {name}\n\n`{command}`\n\n{machine()}\n\n{body.strip()}\n"
    opening, *others = re.split(r"^(?=## )", text, flags=re.MULTILINE)
    sections = {other.partition("\n")[0]: other.strip() + "\n" for other in others}
    sections[f"## {name}"] = section
    with atomic_file(path) as temporary:
        temporary.write_text("\n".join([opening.strip() + "\n", *sections.values()]), encoding="utf-8")


def machine() -> str:
    """What it ran on, in one line."""
    flags = "with" if torch.cpu._is_avx512_bf16_supported() else "without"
    load = os.getloadavg()[0]
    return (
        f"{platform.machine()}, {usable_cores()} cores, {flags} avx512_bf16, {torch.get_num_threads()} threads, "
        f"torch {torch.__version__}, load {load:.1f} at the end."
    )
