"""Attacks on a live gateway over real sockets, and what must hold when many come at once."""
