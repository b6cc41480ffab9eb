"""What is known before a sweep: hyp YAMLs, YOLOv5's ``evolve.csv`` and trainings, tables and studies of other sweeps.

One reader a file, :mod:`search.known.read` knows which; each gives a :class:`search.known.source.KnownSource`.
"""
