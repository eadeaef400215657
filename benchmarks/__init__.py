"""Measurements of speed and memory; each writes its section of reports/performance.md."""
