"""What the axes of an input are taken for, by its sizes and first layers, and which are refused."""

import pytest

from edgevid.errors import ModelError
from tests.models.zoo import BOTH, framework

pytestmark = pytest.mark.tf


def conv3d(kernel, **options):
    return lambda k, x: k.layers.Conv3D(2, kernel, **options)(x)


def conv3d_after(layer):
    return lambda k, x: k.layers.Conv3D(2, 3)(layer(k)(x))


def by_frame(k, x):
    return k.layers.TimeDistributed(k.layers.Flatten())(x)


def by_frame_after(layer):
    return lambda k, x: by_frame(k, layer(k)(x))


def rows(k, x):
    return k.layers.Flatten()(x)


def transposed(k, x):
    import tensorflow as tf

    order = (0, 3, 1, 2, 4)
    return by_frame(k, k.ops.transpose(x, order) if k.__name__ == "keras" else tf.transpose(x, order))


def with_channel(k, x):
    import tensorflow as tf

    return k.layers.Conv3D(2, 3)(k.ops.expand_dims(x, -1) if k.__name__ == "keras" else tf.expand_dims(x, -1))


READ = {
    "a kernel that is short on the third axis": ((64, 64, 10, 1), conv3d((5, 5, 3)), "h,w,t,c", 10, "(5, 5, 3)"),
    "only the first two sizes make a picture": ((120, 160, 16, 3), conv3d(3), "h,w,t,c", 16, "make a picture"),
    "a picture in the middle": ((16, 112, 112, 3), conv3d(3), "t,h,w,c", 16, ""),
    "a wide picture, and a kernel that is short on the first axis": (
        (10, 40, 160, 3),
        conv3d((1, 3, 3)),
        "t,h,w,c",
        10,
        "(1, 3, 3)",
    ),
    "a cube, of which nothing is known": ((32, 32, 32, 1), conv3d(3), "t,h,w,c", 32, "nothing speaks against"),
    "a layer that runs over the first axis": ((64, 64, 10, 1), by_frame, "t,h,w,c", 64, "runs over time"),
    "a permutation before a layer that runs over time": (
        (64, 64, 10, 1),
        by_frame_after(lambda k: k.layers.Permute((3, 1, 2, 4))),
        "h,w,t,c",
        10,
        "(10, 64, 64, 1)",
    ),
    "a transposition before a layer that runs over time": ((64, 64, 10, 1), transposed, "h,w,t,c", 10, "(10, 64"),
    "channels that a permutation moves behind": (
        (3, 16, 64, 64),
        conv3d_after(lambda k: k.layers.Permute((2, 3, 4, 1))),
        "c,t,h,w",
        16,
        "(16, 64, 64, 3)",
    ),
    "grey frames that get their channel": ((10, 64, 64), with_channel, "t,h,w", 10, "(10, 64, 64, 1)"),
    "grey frames behind one another": ((64, 64, 10), with_channel, "h,w,tc", 10, "(64, 64, 10, 1)"),
    "pixels in one row": (
        (40960,),
        conv3d_after(lambda k: k.layers.Reshape((10, 64, 64, 1))),
        "thwc",
        10,
        "(10, 64, 64, 1)",
    ),
    "rows in one row": (
        (60,),
        lambda k, x: k.layers.LSTM(3)(k.layers.Reshape((5, 12))(x)),
        "tf",
        5,
        "(5, 12)",
    ),
    "rows that a convolution takes for a picture": (
        (30, 258),
        lambda k, x: k.layers.Conv2D(2, 3)(k.layers.Reshape((30, 258, 1))(x)),
        "t,f",
        30,
        "(30, 258, 1)",
    ),
    "frames with channels first, before layers that tell nothing": ((16, 3, 64, 64), rows, "t,c,h,w", 16, ""),
    "a volume with channels first, before layers that tell nothing": ((3, 16, 64, 64), rows, "c,t,h,w", 16, ""),
    "joints of two persons": ((30, 17, 2, 2), rows, "t,f", 30, "nothing shows pictures"),
    "joints, before layers that tell nothing": ((30, 33, 3), rows, "t,f", 30, "nothing shows pictures"),
}
REFUSED = {
    "sizes against a kernel": ((64, 64, 10, 1), conv3d((3, 5, 5)), "--axes t,h,w,c or --axes h,w,t,c"),
    "a kernel against sizes": ((10, 64, 64, 1), conv3d((5, 5, 3)), "--axes t,h,w,c or --axes h,w,t,c"),
    "sizes that fit both": ((32, 32, 40, 1), conv3d(3), "sizes that fit both"),
    "flow with time behind": ((64, 64, 10, 2), conv3d(3), "2 channels"),
    "flow with channels first": ((2, 16, 64, 64), conv3d(3, data_format="channels_first"), "Conv3D over 2 channels"),
    "stacked frames with channels first": (
        (15, 64, 64),
        lambda k, x: k.layers.Conv2D(2, 3, data_format="channels_first")(x),
        "Conv2D with channels first",
    ),
    "three frames or three channels": ((3, 3, 64, 64), rows, "channels before or after time"),
    "a picture before layers that tell nothing": ((32, 32, 3), rows, "a picture of 32x32 px"),
    "two hands of 21 joints": ((30, 2, 21, 3), by_frame, "2x21, which may be joints"),
    "joints with coordinates first": (
        (3, 30, 25, 2),
        by_frame_after(lambda k: k.layers.Permute((2, 3, 4, 1))),
        r"layers that turn it to \(30, 25, 2, 3\)",
    ),
    "pixels in one row, time behind": (
        (40960,),
        conv3d_after(lambda k: k.layers.Reshape((64, 64, 10, 1))),
        r"layers that turn it to \(64, 64, 10, 1\)",
    ),
}


def layout(used, shape, body):
    from convert.graph.layer_graph import read_model
    from convert.interface.axes import read_layout
    from convert.interface.first_layers import first_layers

    k = framework(used)
    inputs = k.Input(shape)
    graph = read_model(k.Model(inputs, body(k, inputs)))
    return read_layout(graph.input_shapes[0], first_layers(graph, 0))


@pytest.mark.parametrize("used", BOTH)
@pytest.mark.parametrize("case", READ)
def test_axes_are_read_by_sizes_and_layers_and_the_reason_is_kept(case, used):
    shape, body, axes, frames, reason = READ[case]
    found = layout(used, shape, body)
    assert (found.axes, found.frames) == (axes, frames)
    assert reason in found.reason
    assert bool(found.reason) == bool(reason)


@pytest.mark.parametrize("used", BOTH)
@pytest.mark.parametrize("case", REFUSED)
def test_axes_that_sizes_or_layers_contradict_are_refused_with_what_to_pass(case, used):
    shape, body, says = REFUSED[case]
    with pytest.raises(ModelError, match=says) as caught:
        layout(used, shape, body)
    assert "Pass the axes of the training." in str(caught.value)
