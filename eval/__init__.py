"""Predictions in, scores with intervals, reports and comparisons out. Never imports recipes."""

RESAMPLES = 1000
SEED = 20240229
