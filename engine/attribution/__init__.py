"""Maps for any classifier: where it looked, by methods that are not trained for it."""
