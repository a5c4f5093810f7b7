"""``ecom-eval ask --measure``: what retrieval and guardrails are worth on rows whose answer is known.

Uses the asking of this room's parent, metrics and scoring's intervals.
"""
