from __future__ import annotations

import subprocess
import sys

import pytest


@pytest.mark.timeout(60)
def test_importing_yolov5_leaves_the_process_as_it_was() -> None:
    code = """
import os, sys, cv2, torch, warnings
from PIL import Image
def state():
    return (dict(os.environ), list(sys.path), list(warnings.filters), Image.open, Image.MAX_IMAGE_PIXELS, torch.save,
            cv2.imread, cv2.imwrite)
import numpy, matplotlib, pandas, scipy
before = state()
import trainable.yolov5_parts
after = state()
changed = [index for index, (old, new) in enumerate(zip(before, after)) if old != new]
print("changed:", changed)
"""
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)

    assert done.stdout.strip() == "changed: []", done.stdout + done.stderr[-2000:]
