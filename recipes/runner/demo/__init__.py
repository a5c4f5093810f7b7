"""The demo: a made-up shop's raw files, a tiny base model, and the stages of make demo.

Uses training and below. Nothing outside this room may depend on it, but for the command line and the GPU benchmark.
"""
