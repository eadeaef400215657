"""The items: catalogue tables, and search among their vectors."""
