"""The functions that a model's configuration may name: activations, and mathematics of TensorFlow."""

from __future__ import annotations

ACTIVATIONS = frozenset(
    """
    celu elu exponential gelu glu hard_shrink hard_sigmoid hard_silu hard_swish hard_tanh leaky_relu linear log_sigmoid
    log_softmax log_softmax_v2 mish relu relu6 selu sigmoid silu sin soft_shrink softmax softmax_v2 softplus softsign
    sparse_plus sparse_sigmoid sparsemax squareplus swish tanh tanh_shrink threshold Addons>gelu Addons>mish
    """.split()
)

LOSSES_AND_METRICS = frozenset(
    """
    accuracy acc binary_accuracy binary_crossentropy binary_focal_crossentropy categorical_accuracy
    categorical_crossentropy categorical_focal_crossentropy categorical_hinge cosine_similarity hinge huber
    kl_divergence log_cosh mae mape mean_absolute_error mean_absolute_percentage_error mean_squared_error
    mean_squared_logarithmic_error mse msle poisson sparse_categorical_accuracy sparse_categorical_crossentropy
    sparse_top_k_categorical_accuracy squared_hinge top_k_categorical_accuracy
    """.split()
)

FUNCTIONS = ACTIVATIONS | LOSSES_AND_METRICS

# Namespaces of TensorFlow that hold mathematics only.
_TF_NAMESPACES = frozenset(["__operators__", "bitwise", "linalg", "math", "signal"])
_TF_TOP_LEVEL = frozenset(
    """
    abs acos acosh add add_n argmax argmin argsort asin asinh atan atan2 atanh batch_to_space bitcast boolean_mask
    broadcast_to cast ceil clip_by_norm clip_by_value concat cos cosh cumsum divide eig einsum ensure_shape equal exp
    expand_dims eye fill floor floordiv floormod gather gather_nd greater greater_equal identity less less_equal log
    logical_and logical_not logical_or matmul maximum meshgrid minimum multiply negative norm not_equal one_hot ones
    ones_like pad parallel_stack pow rank realdiv reduce_all reduce_any reduce_max reduce_mean reduce_min reduce_prod
    reduce_sum repeat reshape reverse reverse_sequence roll round rsqrt scatter_nd sequence_mask shape shape_n sigmoid
    sign sin sinh size slice softmax sort space_to_batch space_to_depth depth_to_space split sqrt square
    squared_difference squeeze stack stop_gradient strided_slice subtract tan tanh tensordot tile to_float to_double
    to_int32 to_int64 transpose truediv truncatediv truncatemod unstack where zeros zeros_like
    """.split()
)
# Not all of `tf.nn`: its samplers read vocabulary files, and its recurrent functions call others.
_TF_NN = frozenset(
    """
    atrous_conv2d avg_pool avg_pool1d avg_pool2d avg_pool3d avg_pool_v2 batch_norm_with_global_normalization
    batch_normalization bias_add conv1d conv1d_transpose conv2d conv2d_transpose conv3d conv3d_transpose conv_transpose
    convolution crelu depth_to_space depthwise_conv2d depthwise_conv2d_native dilation2d dropout elu embedding_lookup
    erosion2d fused_batch_norm gelu l2_loss l2_normalize leaky_relu local_response_normalization log_softmax lrn
    max_pool max_pool1d max_pool2d max_pool3d max_pool_v2 max_pool_with_argmax moments normalize_moments pool relu relu6
    relu_layer selu separable_conv2d sigmoid silu softmax softplus softsign space_to_batch space_to_depth swish tanh
    top_k weighted_moments xw_plus_b zero_fraction
    """.split()
)
_TF_IMAGE = frozenset(
    """
    adjust_brightness adjust_contrast adjust_gamma adjust_hue adjust_saturation central_crop convert_image_dtype
    crop_and_resize crop_to_bounding_box extract_patches flip_left_right flip_up_down grayscale_to_rgb hsv_to_rgb
    image_gradients pad_to_bounding_box per_image_standardization resize resize_bicubic resize_bilinear
    resize_nearest_neighbor resize_with_crop_or_pad resize_with_pad rgb_to_grayscale rgb_to_hsv rgb_to_yiq rgb_to_yuv
    rot90 sobel_edges total_variation transpose yiq_to_rgb yuv_to_rgb
    """.split()
)
_KERAS_BACKEND = frozenset(
    """
    abs all any argmax argmin batch_dot batch_flatten bias_add cast clip concatenate conv1d conv2d conv3d cos cumprod
    cumsum depthwise_conv2d dot elu equal exp expand_dims flatten gather greater greater_equal hard_sigmoid
    l2_normalize less less_equal log max maximum mean min minimum not_equal one_hot ones_like permute_dimensions pool2d
    pool3d pow prod relu repeat repeat_elements reshape resize_images reverse round sigmoid sign sin softmax softplus
    softsign sqrt square squeeze stack std sum tanh temporal_padding tile transpose var zeros_like
    """.split()
)
_LISTED = {
    "": _TF_TOP_LEVEL,
    "nn": _TF_NN,
    "image": _TF_IMAGE,
    "keras.activations": ACTIVATIONS,
    "keras.backend": _KERAS_BACKEND,
}
# Attributes and methods of tensors.
TENSOR_ATTRIBUTES = frozenset("dtype get_shape ndim set_shape shape".split())


def is_mathematical(name: str) -> bool:
    """Return whether a symbol of TensorFlow, such as "math.multiply", is a function that only computes.

    Args:
        name: Its exported name without `tf.`, as Keras 2 writes it for an operator layer.
    """
    name = name.removeprefix("compat.v1.").removeprefix("compat.v2.")
    namespace, _, function = name.rpartition(".")
    if namespace in _TF_NAMESPACES:
        # Classes begin with a capital letter.
        return function[:1].islower()
    return function in _LISTED.get(namespace, frozenset())
