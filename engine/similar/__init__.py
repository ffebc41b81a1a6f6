"""Similar cases: an index of what a checkpoint makes of a collection, and its cases nearest to a scan, by evidence
map and by embedding.
"""
