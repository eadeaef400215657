"""Phase 2: from the language model's hidden state to a point in the space."""
