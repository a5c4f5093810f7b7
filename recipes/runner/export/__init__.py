"""A merged run in other formats, behind a server, and on the hub.

Uses training and below, and eval's model card. Scoring an export is for eval.
"""
