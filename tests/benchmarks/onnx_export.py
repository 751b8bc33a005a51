"""Write a model's towers as ``visual.onnx`` and ``textual.onnx``: ``onnx_export.py MODEL FOLDER``.

As rclip has them: one input and one output, any number of pictures or texts, in fp32.
"""

from __future__ import annotations

import sys
import warnings
from pathlib import Path
from typing import Any

import open_clip
import torch
from torch import nn


class _Tower(nn.Module):
    def __init__(self, model: Any, encode: str) -> None:
        super().__init__()
        self.model, self.encode = model, encode

    def forward(self, batch: torch.Tensor) -> torch.Tensor:
        features: torch.Tensor = getattr(self.model, self.encode)(batch)
        return features


def main(model_folder: str, target: Path) -> None:
    """Write both."""
    model = open_clip.create_model(f"local-dir:{model_folder}").eval()
    tokens = open_clip.get_tokenizer(f"local-dir:{model_folder}")(["a red circle", "two dogs"])
    pixels = torch.zeros(2, 3, *model.visual.image_size)
    torch.backends.mha.set_fastpath_enabled(False)  # has no counterpart in ONNX
    warnings.simplefilter("ignore")  # the exporter that needs no more libraries is the older one
    for encode, batch, name in (
        ("encode_image", pixels, "visual.onnx"),
        ("encode_text", tokens, "textual.onnx"),
    ):
        torch.onnx.export(
            _Tower(model, encode),
            (batch,),
            str(target / name),
            input_names=["input"],
            output_names=["output"],
            dynamic_axes={"input": {0: "batch"}, "output": {0: "batch"}},
            opset_version=17,
            dynamo=False,
        )


if __name__ == "__main__":
    main(sys.argv[1], Path(sys.argv[2]))
