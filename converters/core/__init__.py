"""What every other room needs and no dataset knows of: errors, registries, the console, hashing, locks, the frame of HTML pages.

Uses nothing else of this package. Nothing about rows, files or tasks belongs here.
"""
