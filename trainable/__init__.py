"""What runs a model or judges its output: one YOLOv5 training, epoch by epoch, as something that can be resumed."""
