"""Runs against each other: pair them by row, test the differences, give the verdict.

Uses scoring and below. Pages and tables do not belong here: they are in report.
"""
