"""A trained run at work: how far its answers can be trusted, labels for a catalogue, answers from a shop's own texts.

Uses scoring, inference and below. What measures a run against gold does not belong here.
"""
