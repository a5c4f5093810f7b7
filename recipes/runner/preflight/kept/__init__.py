"""What a check has found and need not find again while nothing that decides it has changed, in files below ``.cache/check``.

Only what passed is kept; a fault is found anew each time. Uses the recipe alone; the rooms beside it use this one.
"""
