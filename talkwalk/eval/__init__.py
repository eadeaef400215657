"""The engine, measured: the thirteen figures of docs/metrics.md over recorded sessions."""
