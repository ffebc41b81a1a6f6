"""One file a kind of measure; every public measure returns a `Measure` with a 95 % interval, or raises
`NotMeasurable`.
"""
