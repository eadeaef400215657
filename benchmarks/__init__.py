"""Speed, measured as ratios within one run; each script writes its section of reports/performance.md."""
