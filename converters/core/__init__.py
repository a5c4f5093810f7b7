"""What every other room needs: errors, registries, the console, worker processes, hashing, the frame of HTML pages.

Uses nothing else of this package. Nothing that knows of rows, file formats or tasks belongs here.
"""
