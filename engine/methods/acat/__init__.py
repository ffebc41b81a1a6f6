"""ACAT (Fontanella et al. 2023): latent counterfactuals become saliency maps, and saliency maps steer attention at
three scales.
"""
