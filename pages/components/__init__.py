"""What the pages share: words, open scans, checkpoints at hand, and the worker."""
