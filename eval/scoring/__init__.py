"""Answers become scores: parsing, trivial baselines as floors, slices, intervals, the models some metrics need.

Uses answers, results and metrics. Whatever is in here or in metrics, answers or converters.tasks is part of the scorer's hash;
files and pages do not belong here.
"""
