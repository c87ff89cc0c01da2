"""Requests over HTTP: when to try again, how fast to go, and the loops that do it."""
