"""Base models that this project writes: pretrained ones by ``ecom-train base``, and those that adapters are served on.

Uses a run's folder and its merge. The command line and the serving of exports use it.
"""
