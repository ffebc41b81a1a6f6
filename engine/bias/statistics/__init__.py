"""The tests of a bias report: the statistic, its null, the regressions, and fairness by groups."""
