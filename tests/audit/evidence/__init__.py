"""Tests of the evidence of one exchange."""
