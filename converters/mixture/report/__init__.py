"""What a person reads about a mixture: its statistics and its card.

Uses the mixture's plan and manifest. Nothing here changes a row.
"""
