"""What a person reads: a run's page, a comparison's page, a model's card, tables in the terminal.

Uses comparison, published and all below. Nothing is computed here that a score or a verdict depends on.
"""
