"""What Axolotl itself loads: the prompt strategy of ``type:``, and plugins, one file a method.

Uses converters and a run's layout (recipes.runner.records.layout) alone; scoring and launching do not belong here.
"""
