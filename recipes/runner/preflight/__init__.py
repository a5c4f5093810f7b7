"""All that can go wrong before a GPU is paid for, in the order of its cost.

Uses records, capacity, recipe and the prompt strategy of recipes.plugins. Starts nothing, and writes nothing but what it
keeps for the next check.
"""
