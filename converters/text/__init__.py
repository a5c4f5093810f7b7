"""Pure functions on product text: sanitising, HTML, matching, lengths, retrieval.

Uses schema and core. No file is opened here but a tokenizer's, and no prompt is worded here.
"""
