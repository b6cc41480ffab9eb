"""Silver labels: predictions of a model that join the labels of chosen pictures, as a data set of its own.

No network runs here; :mod:`trainable.silver` brings the predictions.
"""
