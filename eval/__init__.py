"""Predictions in, scores with intervals, reports and comparisons out. Never imports recipes."""
