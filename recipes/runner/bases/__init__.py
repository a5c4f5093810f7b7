"""Pretrained base models that ``ecom-train base`` writes as ordinary checkpoints, from the hub or from the package index.

Uses the layout of a run's folder. Nothing uses this room but the command line.
"""
