"""Obtains a bank in a process of its own: to be started many times at once, limited, and killed.

Usage: python -m tests.trainable.bank_builder FOLDER IMAGE_SIZE [--most-bytes N] FILE...
"""

from __future__ import annotations

import argparse
import logging
import resource
import sys
from pathlib import Path

import numpy as np

from trainable.bank_build import BankContent, obtain
from trainable.bank_check import check_images
from trainable.bank_folder import CacheFolder


def content_of(files: list[str], image_size: int, *, augmented: bool = True, manifest: str = "") -> BankContent:
    """The images as they are now."""
    sizes = np.array([(image.height, image.width) for image in check_images(files)])
    return BankContent(files, sizes, image_size, augmented, manifest)


def main() -> None:
    logging.basicConfig(level=logging.INFO, stream=sys.stdout, format="%(message)s")
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("image_size", type=int)
    parser.add_argument("--most-bytes", type=int)
    parser.add_argument("files", nargs="+")
    arguments = parser.parse_args()
    if arguments.most_bytes:
        resource.setrlimit(resource.RLIMIT_FSIZE, (arguments.most_bytes, arguments.most_bytes))
    content = content_of(arguments.files, arguments.image_size)
    print("ready", flush=True)
    bank = obtain(content, CacheFolder(arguments.folder))
    print("mapped", int(bank.pixels[::997].sum()), flush=True)


if __name__ == "__main__":
    main()
