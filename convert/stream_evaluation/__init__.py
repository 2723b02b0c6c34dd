"""Evaluation on long recordings, through the sampler, engine and decider of the device."""

from convert.stream_evaluation.evaluate import StreamEvaluation, StreamOptions, evaluate_streams

__all__ = ["StreamEvaluation", "StreamOptions", "evaluate_streams"]
