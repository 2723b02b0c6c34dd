"""Count the work of the models whose times are published, into firmware_configs/speed/models.toml.

    python scripts/speed_models.py

Each model is built without trained weights, converted to a float `.tflite` file and counted like a part of a bundle.
Those that Keras has are its own; the other three follow their descriptions in github.com/Tencent/ncnn, benchmark.
"""

from __future__ import annotations

import dataclasses
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any

import keras
import tensorflow as tf
from keras import layers

from convert.placement.operation_counts import count
from convert.tflite_file import read_tflite

OUT = Path(__file__).resolve().parents[1] / "firmware_configs/speed/models.toml"
# Core design -> a slower one, whose times at the same clock stand in where none are published.
SLOWER = {"Cortex-A76": "Cortex-A72"}


def main() -> None:
    """Build, count and write every model."""
    lines = [
        "# Work of one picture, by model. Written by scripts/speed_models.py.",
        f'made_with = "Keras {keras.__version__}, TensorFlow {tf.__version__}"',
        "",
        "# Stands in at the same clock where nothing is published.",
        "[slower]",
        *(f'{cpu} = "{slower}"' for cpu, slower in SLOWER.items()),
    ]
    for name, build in MODELS.items():
        content = tf.lite.TFLiteConverter.from_keras_model(build()).convert()
        counts = dataclasses.asdict(count(read_tflite(content, name)))
        lines += ["", f"[work.{name}]", *(f"{key} = {value}" for key, value in counts.items())]
        keras.backend.clear_session()
    OUT.write_text("\n".join(lines) + "\n", encoding="utf-8")


def application(builder: Callable[..., Any], **options: Any) -> Callable[[], Any]:
    """Return a builder of a model of keras.applications for one picture of 224 x 224."""
    return lambda: builder(weights=None, input_tensor=_picture(224), **options)


def squeezenet() -> Any:
    """Build SqueezeNet 1.1."""
    picture = _picture(227)
    x = layers.Conv2D(64, 3, 2, activation="relu")(picture)
    x = layers.MaxPooling2D(3, 2)(x)
    for squeezed, expanded, pools in (*((16, 64, each) for each in (False, True)), (32, 128, False), (32, 128, True)):
        x = _fire(x, squeezed, expanded)
        x = layers.MaxPooling2D(3, 2, padding="same")(x) if pools else x
    for squeezed, expanded in ((48, 192), (48, 192), (64, 256), (64, 256)):
        x = _fire(x, squeezed, expanded)
    x = layers.Conv2D(1000, 1, activation="relu")(x)
    return keras.Model(picture, layers.Softmax()(layers.GlobalAveragePooling2D()(x)))


def alexnet() -> Any:
    """Build AlexNet without its local response normalisation."""
    picture = _picture(227)
    x = layers.MaxPooling2D(3, 2)(layers.Conv2D(96, 11, 4, activation="relu")(picture))
    x = layers.MaxPooling2D(3, 2)(layers.Conv2D(256, 5, padding="same", groups=2, activation="relu")(x))
    for filters, groups in ((384, 1), (384, 2), (256, 2)):
        x = layers.Conv2D(filters, 3, padding="same", groups=groups, activation="relu")(x)
    x = layers.Flatten()(layers.MaxPooling2D(3, 2)(x))
    for units in (4096, 4096):
        x = layers.Dense(units, activation="relu")(x)
    return keras.Model(picture, layers.Dense(1000, activation="softmax")(x))


def resnet18() -> Any:
    """Build ResNet-18."""
    picture = _picture(224)
    x = layers.ReLU()(_normalised(picture, 64, 7, 2))
    x = layers.MaxPooling2D(3, 2, padding="same")(x)
    for filters, stride in ((64, 1), (64, 1), (128, 2), (128, 1), (256, 2), (256, 1), (512, 2), (512, 1)):
        inner = layers.ReLU()(_normalised(x, filters, 3, stride))
        shortcut = _normalised(x, filters, 1, stride) if stride > 1 else x
        x = layers.ReLU()(layers.Add()([shortcut, _normalised(inner, filters, 3, 1)]))
    return keras.Model(picture, layers.Dense(1000, activation="softmax")(layers.GlobalAveragePooling2D()(x)))


def _picture(size_px: int) -> Any:
    return keras.Input((size_px, size_px, 3), batch_size=1)


def _fire(x: Any, squeezed: int, expanded: int) -> Any:
    x = layers.Conv2D(squeezed, 1, activation="relu")(x)
    wide = layers.Conv2D(expanded, 3, padding="same", activation="relu")(x)
    return layers.Concatenate()([layers.Conv2D(expanded, 1, activation="relu")(x), wide])


def _normalised(x: Any, filters: int, size: int, stride: int) -> Any:
    return layers.BatchNormalization()(layers.Conv2D(filters, size, stride, padding="same", use_bias=False)(x))


_APPLICATIONS = keras.applications
MODELS: Mapping[str, Callable[[], Any]] = {
    "mobilenet_v1": application(_APPLICATIONS.MobileNet),
    "mobilenet_v2": application(_APPLICATIONS.MobileNetV2),
    "mobilenet_v3_large": application(_APPLICATIONS.MobileNetV3Large, include_preprocessing=False),
    "mobilenet_v3_small": application(_APPLICATIONS.MobileNetV3Small, include_preprocessing=False),
    "efficientnet_b0": application(_APPLICATIONS.EfficientNetB0),
    "efficientnetv2_b0": application(_APPLICATIONS.EfficientNetV2B0, include_preprocessing=False),
    "squeezenet": squeezenet,
    "resnet18": resnet18,
    "resnet50": application(_APPLICATIONS.ResNet50),
    "alexnet": alexnet,
}


if __name__ == "__main__":
    main()
