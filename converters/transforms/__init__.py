"""Record to record: perturb, trim, definitions, few-shot demonstrations, candidates.

Uses examples, text, tasks and below. A transform never decides which split a row is in.
"""
