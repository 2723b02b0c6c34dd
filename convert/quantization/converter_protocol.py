"""Interface of the converters that make a `.tflite` file of each part of a model."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from convert.quantization.converter import ConvertedPart
from convert.quantization.layer_errors import LayerError
from convert.rows import AnyRows
from convert.splitting.split import PartFunction
from edgevid.bundle.parts import Precision


class PartConverter(Protocol):
    """Converts the parts of one model.

    `convert.quantization.converter.Converter` runs TensorFlow's converter in a child process;
    `convert.prebuilt.PassthroughConverter` returns a file that was converted elsewhere.

    Attributes:
        calibrates: Whether int8 grids come from the calibration samples; if not, the file has its
            own grids.
    """

    calibrates: bool

    def prefetch(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> None:
        """Start a conversion in the background; `convert` with the same arguments waits for it."""
        ...

    def prefetch_layer_errors(self, function: PartFunction, calibration: Sequence[AnyRows], *, made: str = "") -> None:
        """Start a comparison of layers in the background; `part_errors` waits for it."""
        ...

    def convert(
        self, function: PartFunction, precision: Precision, calibration: Sequence[AnyRows], *, edgetpu: bool = False
    ) -> ConvertedPart:
        """Convert one part.

        Args:
            function: The part in float.
            precision: Types of its weights and activations.
            calibration: For each input an array (N, *shape) float32; read for "int8" and "int16x8".
            edgetpu: Use only what the Edge TPU's compiler supports.

        Raises:
            ConverterCrashed: The process of the converter died.
            ConversionError: The converter rejected the part.
        """
        ...

    def part_errors(
        self, made: ConvertedPart, function: PartFunction, calibration: Sequence[AnyRows], *, output: str
    ) -> list[LayerError]:
        """Measure what its precision costs each layer of a converted part.

        Args:
            made: The converted part.
            function: The part in float.
            calibration: For each input an array (N, *shape) float32; read for every precision.
            output: Name of the layer whose output leaves the part.

        Returns:
            The layers, worst first.

        Raises:
            ConversionError: The layers cannot be measured.
        """
        ...
