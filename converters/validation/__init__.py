"""Checks rows that are already written, and writes corrected copies.

Uses examples and below. Building a mixture is for mixture; checking a recipe is for recipes.runner.preflight.
"""
