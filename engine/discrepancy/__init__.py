"""What CX-GAN and VA-GAN share: one map that, added to an abnormal picture, makes it normal; its reader, measures and card."""
