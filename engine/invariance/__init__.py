"""CIT-LR: would a model's answer change if only the sex, the scanner or the marker changed? After "AI Alignment in Medical Imaging"."""
