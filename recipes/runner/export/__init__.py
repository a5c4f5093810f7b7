"""A merged run in other formats, and behind a server.

Uses training and below. Scoring an export is for eval.
"""
