"""Answers become scores: parsing, trivial predictors as floors, slices, intervals, the models some metrics need.

Uses answers, results and metrics. Whatever is in here or in metrics, answers or converters.tasks is part of the scorer's hash;
files
are for results, pairs of runs for comparison, pages for report.
"""
