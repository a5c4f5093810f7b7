"""``ecom-train``: checks a recipe, runs it through Axolotl, and records what was run.

One way: cli > bench > demo | export > training > sweep > preflight > records > capacity > recipe; a room uses only what comes
after it. What Axolotl itself loads belongs in recipes.plugins.
"""
