"""Predictions in, scores with intervals, reports and comparisons out. Never imports recipes.

One way: cli > report > comparison | published > scoring | inference | baselines > answers > results > metrics; a room uses only
what comes after it.
"""

RESAMPLES = 1000
# The smallest bootstrap p is 2 / (B + 1): with 1,000, Holm over 25 or more metrics could never fall below 0.05.
COMPARE_RESAMPLES = 10_000
SEED = 20240229
