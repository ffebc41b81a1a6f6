"""What CX-GAN and VA-GAN share: one map that makes an abnormal picture normal, or one of another class; its reader,
measures and card.
"""
