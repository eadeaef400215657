"""Phase 1: one space in which metadata of items and users, and language about them, live together."""
