"""Axolotl recipes (YAML), mixtures' specifications, sweeps, and the runner that checks, trains, merges and proves them.

Uses converters and eval; neither of them may import this package.
"""
