"""Plain classifiers that are explained or compared with."""
