"""Compares training arms, such as models, optimizers or data, over the same new seeds."""
