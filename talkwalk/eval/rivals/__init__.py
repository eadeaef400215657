"""The systems that the benchmark compares, one a file; `registry` opens them by name."""
