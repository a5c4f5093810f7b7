"""Predictions in, scores with intervals, reports, comparisons and model cards out. Never imports recipes.

One way: cli > report | trackers > comparison | published > scoring | inference | baselines > answers > results > metrics; a room
uses only what comes after it.
"""

RESAMPLES = 1000
SEED = 20240229
