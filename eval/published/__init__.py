"""Other people's numbers and scorers, each with its source: published results and eCeLLM's own scoring.

Uses scoring and below. Our own metrics are in eval.metrics.
"""
