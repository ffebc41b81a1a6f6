"""Documents that are given to others: reports as PDF."""
