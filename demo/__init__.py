"""Demos: a chat in the browser, a quick start, and two examples of a new domain."""
