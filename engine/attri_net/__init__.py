"""Attri-Net (Sun et al. 2025, MELBA 3): class-specific counterfactual attribution maps, classified linearly."""
