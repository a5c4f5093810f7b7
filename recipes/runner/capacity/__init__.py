"""What a training needs and what a machine has: GPUs, model shapes, memory and time.

Uses recipe alone. Whether a run may start is for preflight.
"""
