"""What proofs are made of."""
