"""YOLOv5's augmentation for the fast path: all random numbers first, then boxes and pixels of a batch from them."""
