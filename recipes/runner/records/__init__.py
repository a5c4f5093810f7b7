"""A run's folder: where each file lies, what the record says, and whether the hashes still hold.

Uses capacity and recipe. Nothing here trains, merges or scores.
"""
