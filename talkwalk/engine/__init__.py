"""Inference: words in, items out."""
