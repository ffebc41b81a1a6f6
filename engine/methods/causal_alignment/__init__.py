"""Causal alignment (Liu et al. 2025): a classifier whose counterfactuals stay inside the region that experts marked."""
