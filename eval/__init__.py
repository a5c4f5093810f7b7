"""Predictions in, scores with intervals, reports and comparisons out. Never imports recipes."""

RESAMPLES = 1000
# The smallest bootstrap p is 2 / (B + 1): with 1,000, Holm over 25 or more metrics could never fall below 0.05.
COMPARE_RESAMPLES = 10_000
SEED = 20240229
