"""Silver labels: a network predicts pictures, and what a rule takes of it becomes labels to train on."""
