"""Drawn chest radiographs from a structural causal model, whose true counterfactuals are known."""
