"""Runs against each other: pairs them by row, tests the differences, says the verdict.

Uses scoring and below. Pages and tables are for report.
"""
