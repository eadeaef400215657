"""The frozen language model: where it is found, what it reads, and the hidden states that it leaves."""
