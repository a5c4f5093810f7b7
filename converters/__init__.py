"""Raw public datasets in, one clean Axolotl training mixture out. Never imports torch, recipes or eval."""
