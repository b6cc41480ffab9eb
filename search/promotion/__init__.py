"""What surrounds the final training of a promotion (:mod:`search.promote`), and what is left of it.

The modules, in the order in which they are used: ``gates`` (is the model small enough?), ``metrics`` (figures of the
finished weights), ``thresholds`` (of weights that have not seen the validation split), ``finish`` (all other files),
``card`` (``model_card.md``: ``facts`` in ``sections`` and ``origin``, written by ``markdown``), ``publish`` (the folder
appears).
"""
