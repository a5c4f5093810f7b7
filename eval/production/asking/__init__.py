"""``ecom-eval ask``: answers to questions from a shop's own texts, with the prompt of training and under guardrails.

Uses inference, scoring's intervals, answers and metrics. Two modules know converters' sources: ``texts`` reads a
catalogue by them, ``training`` learns from them how a run's rows were made.
"""
