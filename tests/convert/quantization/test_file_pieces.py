"""A `.tflite` file that runs in pieces, as for models whose tensors do not fit into memory together."""

import numpy as np
import pytest

from tests.models.keras_models import convlstm

pytestmark = [pytest.mark.tf, pytest.mark.filterwarnings(r"ignore:\s*Warning. tf.lite.Interpreter:UserWarning")]


@pytest.fixture(scope="module")
def unrolled():
    """A ConvLSTM over 4 frames in float32, whose states pass from step to step, and an interpreter with its tensors."""
    import tensorflow as tf

    from convert.graph.layer_graph import read_graph
    from convert.quantization.converter import Converter
    from convert.splitting.split import split

    whole = split(read_graph(convlstm())).whole
    with Converter() as converter:
        data = converter.convert(whole, "float32", [np.zeros((0, *whole.input_shapes[0][1:]), np.float32)]).data
    return data, started(tf, data, experimental_preserve_all_tensors=True)


def started(tf, data, **options):
    interpreter = tf.lite.Interpreter(
        model_content=data,
        experimental_op_resolver_type=tf.lite.experimental.OpResolverType.BUILTIN_WITHOUT_DEFAULT_DELEGATES,
        **options,
    )
    interpreter.allocate_tensors()
    return interpreter


@pytest.mark.slow
@pytest.mark.parametrize("most_bytes", [1, 20_000, 10**9])
def test_a_file_in_pieces_computes_every_tensor_of_the_whole_file(unrolled, monkeypatch, most_bytes):
    import tensorflow as tf

    from convert.quantization import file_pieces

    data, whole = unrolled
    (entry,) = whole.get_input_details()
    window = np.random.default_rng(0).random(entry["shape"], np.float32)
    whole.set_tensor(entry["index"], window)
    whole.invoke()
    monkeypatch.setattr(file_pieces, "MOST_BYTES", most_bytes)
    file = file_pieces.OperatorFile(data)
    runner = file_pieces.PieceRunner(file, lambda piece: started(tf, piece))
    written = [file.written(piece) for piece in file.cut(most_bytes)]
    for place in runner.run({entry["index"]: window}, [set()] * len(written)):
        for number in written[place]:
            np.testing.assert_array_equal(runner.read(number), whole.get_tensor(number))
    assert place == len(written) - 1
    assert {1: len(file.operators), 10**9: 1}.get(most_bytes, len(written)) == len(written)
    assert most_bytes != 20_000 or 1 < len(written) < len(file.operators)


def test_pieces_take_no_more_bytes_than_they_may(unrolled):
    from convert.quantization.file_pieces import OperatorFile

    data, whole = unrolled
    size = {each["index"]: int(np.prod(each["shape"])) * 4 for each in whole.get_tensor_details()}
    file = OperatorFile(data)
    for piece in file.cut(20_000):
        assert len(piece) == 1 or sum(size[number] for number in file.written(piece)) <= 20_000


def test_a_tensor_that_a_caller_reads_later_is_kept_until_then(unrolled, monkeypatch):
    import tensorflow as tf

    from convert.quantization import file_pieces

    data, whole = unrolled
    (entry,) = whole.get_input_details()
    window = np.ones(entry["shape"], np.float32)
    monkeypatch.setattr(file_pieces, "MOST_BYTES", 1)
    file = file_pieces.OperatorFile(data)
    runner = file_pieces.PieceRunner(file, lambda piece: started(tf, piece))
    first = file.operators[0].writes[0]
    needs = [set() for _ in runner.places]
    needs[-1] = {first}
    for place in runner.run({entry["index"]: window}, needs):
        values = runner.read(first)
        assert place > 0 or values.any()
    assert place == len(file.operators) - 1
