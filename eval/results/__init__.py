"""The files of an evaluation: their schema, and reading and writing them with their provenance.

Uses metrics alone. Nothing here computes a score, and no page is written here.
"""
