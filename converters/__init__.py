"""Raw public datasets in, one clean Axolotl training mixture out. Never imports torch, recipes or eval.

One way: cli > mixture > sources > validation > transforms > examples > text > tasks | io > schema > core; a room uses only what
comes after it.
"""
