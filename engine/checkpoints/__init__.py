"""Trained weights that can be trusted: their files, their cards, and where they come from."""
