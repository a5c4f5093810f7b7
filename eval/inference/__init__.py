"""Asks a model: prompts, backends, constrained decoding, a resumable predictions file, a judge.

Uses answers, results and below. Nothing here knows how an answer is scored.
"""
