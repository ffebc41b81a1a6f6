"""A bias report: computed, kept as records, judged and worded."""
