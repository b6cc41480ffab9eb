"""The whole job as one restartable flow: prepare, sweep, confirm, final, score, report."""
