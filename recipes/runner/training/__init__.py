"""A run's life: launch, train, resume, merge, and the gate that a merged model must pass.

Uses preflight and below. What Axolotl itself loads is in recipes.plugins.
"""
