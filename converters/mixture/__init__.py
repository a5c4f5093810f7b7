"""A specification becomes a mixture: convert to shards, plan (duplicates, splits, shares), finalize, write, account.

Uses sources and all below. What one dataset looks like belongs in sources, what a prompt says in tasks.
"""
