"""``ecom-eval try``: one product or one question at a time on a page of this machine, answered as ``apply`` and ``ask`` answer.

``loading`` checks a run and loads its model once, ``products`` and ``questions`` ask it, ``views`` is what the page shows.
``forms`` reads what was posted, ``site`` answers it, ``guard`` says who may ask, and ``server`` listens on loopback. Uses
applying, asking and confidence; how the page looks is a matter of the report room.
"""
