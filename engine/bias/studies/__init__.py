"""Simulated studies of the bias test, where the truth is known."""
