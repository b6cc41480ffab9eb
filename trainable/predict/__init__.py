"""Predicts the boxes of pictures that need no labels, as a stream: sources in, sinks out, a few pictures in memory."""

from trainable.predict.run import PredictOptions, Summary, predict
from trainable.predict.sinks import FORMATS

__all__ = ["FORMATS", "PredictOptions", "Summary", "predict"]
