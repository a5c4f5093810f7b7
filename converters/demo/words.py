"""The words that the demo's shop is made of.

The words that give a category away occur in every split, since a random base model knows no others; brands and patterns do not.
"""

RELEASE = "2026-01-01"

# Category path, what such a product is called, and the measure that it is sold by.
KINDS = (
    (("Home & Garden", "Kitchen & Dining", "Kettles"), ("kettle", "tea kettle"), "Capacity"),
    (("Home & Garden", "Kitchen & Dining", "Mugs"), ("mug", "coffee mug"), "Capacity"),
    (("Home & Garden", "Kitchen & Dining", "Knives"), ("chef knife", "bread knife"), "Length"),
    (("Home & Garden", "Bedding", "Blankets"), ("blanket", "throw"), "Length"),
    (("Home & Garden", "Bedding", "Pillows"), ("pillow", "cushion"), "Length"),
    (("Electronics", "Audio", "Headphones"), ("headphones", "headset"), "Weight"),
    (("Electronics", "Audio", "Speakers"), ("speaker", "soundbar"), "Weight"),
    (("Electronics", "Computers, Tablets & Phones", "Keyboards"), ("keyboard", "keypad"), "Weight"),
    (("Electronics", "Computers, Tablets & Phones", "Accessories"), ("phone case", "charger"), "Length"),
    (("Sporting Goods", "Camping & Hiking", "Tents"), ("tent", "shelter"), "Weight"),
    (("Sporting Goods", "Camping & Hiking", "Backpacks"), ("backpack", "rucksack"), "Capacity"),
    (("Sporting Goods", "Fitness", "Dumbbells"), ("dumbbell", "hand weight"), "Weight"),
    (("Apparel", "Shoes", "Boots"), ("boots", "hiking boots"), "Weight"),
    (("Apparel", "Clothing", "Jackets"), ("jacket", "raincoat"), "Weight"),
    (("Apparel", "Clothing", "Accessories"), ("belt", "scarf"), "Length"),
    (("Toys & Games", "Puzzles", "Jigsaws"), ("jigsaw", "puzzle"), "Length"),
)
COLORS = ("black", "white", "red", "blue", "green", "grey", "yellow", "orange", "pink", "brown", "navy", "teal")
MATERIALS = ("steel", "cotton", "leather", "bamboo", "nylon", "wool", "glass", "plastic", "copper", "linen")
# The unit of whole numbers, and that of numbers with a decimal point.
UNITS = {"Capacity": ("ml", "L"), "Length": ("cm", "mm"), "Weight": ("g", "kg")}

# Brands are made of these, so that there are thousands of them.
ONSETS = (
    *("b", "br", "c", "d", "dr", "f", "g", "gr", "h", "k", "kl", "l"),
    *("m", "n", "p", "pr", "r", "s", "st", "t", "tr", "v", "w"),
)
VOWELS = ("a", "e", "i", "o", "u", "ai", "ea", "oo")
ENDINGS = ("", "l", "m", "n", "r", "s", "t", "x", "nd", "rk")

# What real titles hold and what has to survive as plain text.
DIRT = ("</s>", "[/INST]", "[CLASSIFY]", "<b>new</b>", "<script>alert(1)</script>", "☕", "红色", "&amp; more")
