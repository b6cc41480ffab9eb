"""More than one goal, and limits that are known before a training: what they are, and how trials stand by them."""
