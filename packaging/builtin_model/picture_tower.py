"""The image tower: EfficientNet-Lite2 as it is, and its classifier inside the projection.

A picture is the sum of its classes' vectors (the idea of Norouzi and others, "Zero-shot learning
by convex combination of semantic embeddings", 2013), each by how sure the classifier is. OpenCLIP's
MLP has room for that: the first layer is the classifier, GELU lets the strong classes pass in
place of a softmax, the second layer has the classes' vectors. What hidden units are left look at
the picture in random ways. No query reaches the dimensions that they feed, so they change no order
among equals; they keep apart pictures of the same kind, and where the classifier is unsure they
are most of the vector, so that such a picture is near to no query.
"""

from __future__ import annotations

from collections.abc import Mapping

import torch
from torch import Tensor
from torch.nn import functional

EMBEDDING = 512
HIDDEN = 2 * EMBEDDING  # what OpenCLIP's projection has
SLOPE, SHIFT = 2.0, -7.0
"""What of a class's logit passes GELU: that above 3.5."""
LOOKS = 3.0
"""A measure of the part that shows how a picture looks; it then has a length of about 4, and a sure
class alone one of about 12."""


def projection(
    classifier_weight: Tensor, classifier_bias: Tensor, vectors: Tensor, feature_mean: Tensor
) -> dict[str, Tensor]:
    """The weights of OpenCLIP's MLP.

    Args:
        classifier_weight, classifier_bias: shapes (classes, features) and (classes).
        vectors: of the classes, of unit length, shape (classes, dimension).
        feature_mean: of the pooled features over pictures, shape (features).
    """
    classes, features = classifier_weight.shape
    spare, dimension = HIDDEN - classes, vectors.shape[1]
    looks = functional.normalize(torch.randn(spare, features), dim=-1) * 8
    first = torch.cat([SLOPE * classifier_weight, looks])
    first_bias = torch.cat([SLOPE * classifier_bias + SHIFT, -looks @ feature_mean])
    second = torch.zeros(EMBEDDING, HIDDEN)
    second[:dimension, :classes] = vectors.T
    second[EMBEDDING - spare :, classes:] = torch.eye(spare) * LOOKS / spare**0.5
    centre = torch.zeros(EMBEDDING)
    centre[EMBEDDING - spare :] = -0.28 * LOOKS / spare**0.5  # GELU's mean over a standard normal
    return {
        "fc1.weight": first,
        "fc1.bias": first_bias,
        "fc2.weight": second,
        "fc2.bias": centre,
    }


def mean_features(state: Mapping[str, Tensor]) -> Tensor:
    """What the pooled features are on average, from the statistics of the last normalisation.

    It leaves each channel with the mean and deviation that its bias and weight say; ReLU6 follows.
    """
    draws = torch.randn(4096, 1)
    return (state["bn2.bias"] + state["bn2.weight"] * draws).clamp(0, 6).mean(0)
