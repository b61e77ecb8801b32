"""A network that tells red from all else, written as an ONNX file of the form of U²-Net.

The file is written byte by byte in the wire form of ONNX (https://onnx.ai/onnx/repo-docs/IR.html),
so that tests need no package to make it: a 1 × 1 convolution weighs red against blue, and what is
negative becomes 0.
"""

from __future__ import annotations

import struct
from pathlib import Path

from PIL import Image, ImageChops

SIDE_PX = 320
FLOAT = 1
RED_AGAINST_BLUE = (0.229, 0.0, -0.225)  # undoes the standard deviations that rembg divides by
OFFSET = 0.485 - 0.406  # and the means that it takes away
IR_VERSION, OPSET = 8, 13


def write_red_finder(file: Path) -> Path:
    """Write the network; its mask is 255 where the picture is reddest, 0 where blue outweighs red."""
    nodes = _node("Conv", ["input", "weights", "offset"], "weighed") + _node("Relu", ["weighed"], "output")
    constants = _constant("weights", (1, 3, 1, 1), RED_AGAINST_BLUE) + _constant("offset", (1,), (OFFSET,))
    ends = _part(11, _value("input", (1, 3, SIDE_PX, SIDE_PX))) + _part(12, _value("output", (1, 1, SIDE_PX, SIDE_PX)))
    graph = nodes + _part(2, b"red finder") + constants + ends
    file.write_bytes(_number(1, IR_VERSION) + _part(7, graph) + _part(8, _number(2, OPSET)))
    return file


class RedSession:
    """A session object in place of rembg's, which finds red and counts how often it was asked."""

    def __init__(self) -> None:
        self.asked = 0

    def predict(self, img: Image.Image, /) -> list[Image.Image]:
        self.asked += 1
        red, _, blue = img.split()
        return [ImageChops.subtract(red, blue).point(lambda value: 255 if value > 60 else 0)]


def _node(kind: str, inputs: list[str], output: str) -> bytes:
    named = b"".join(_part(1, name.encode()) for name in inputs)
    return _part(1, named + _part(2, output.encode()) + _part(4, kind.encode()))


def _constant(name: str, shape: tuple[int, ...], values: tuple[float, ...]) -> bytes:
    dimensions = b"".join(_number(1, size) for size in shape)
    return _part(
        5, dimensions + _number(2, FLOAT) + _part(8, name.encode()) + _part(9, struct.pack(f"<{len(values)}f", *values))
    )


def _value(name: str, shape: tuple[int, ...]) -> bytes:
    dimensions = b"".join(_part(1, _number(1, size)) for size in shape)
    return _part(1, name.encode()) + _part(2, _part(1, _number(1, FLOAT) + _part(2, dimensions)))


def _number(field: int, value: int) -> bytes:
    return _varint(field << 3) + _varint(value)


def _part(field: int, content: bytes) -> bytes:
    return _varint(field << 3 | 2) + _varint(len(content)) + content


def _varint(value: int) -> bytes:
    """Write seven bits a byte, the lowest first; the eighth says that more follow."""
    low, rest = value & 0x7F, value >> 7
    return bytes([low | 0x80]) + _varint(rest) if rest else bytes([low])
