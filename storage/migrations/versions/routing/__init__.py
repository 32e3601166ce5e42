"""Callers and partners, quotas, and the messages that were answered."""
