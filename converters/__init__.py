"""Raw public datasets in, one clean Axolotl training mix out. Never imports torch, recipes or eval."""
