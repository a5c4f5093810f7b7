"""A trained run labels a shop's catalogue: categories, attributes, how sure it is of each, and what a person has to look at.

``catalog`` reads the products, ``learnt`` says what the run was trained on, ``labels`` asks the model chunk by chunk, and
``decisions`` says what is taken. ``own`` reads the shop's rows as they are written, ``tables``, ``shops`` and ``review`` write,
``places`` says where, and ``apply`` does it all. Uses inference and confidence; ``catalog`` alone knows of the
converters' sources and mixtures.
"""
