"""Comparisons of registers with their sources: runs, differences, decisions, correction requests."""
