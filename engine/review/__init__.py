"""Review: what readers draw, measure and decide on scans, and the store that keeps it."""
