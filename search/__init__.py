"""The search room: what chooses between configurations or orders the steps."""
