"""The classes that a model's configuration may name.

Each computes on tensors, or sets up a computation. Classes that run code, read files or keep a
vocabulary are missing on purpose: Lambda, TFSMLayer, JaxLayer, TorchModuleWrapper, StringLookup,
IntegerLookup, TextVectorization.
"""

from __future__ import annotations

MODELS = frozenset("Functional Model Sequential InputLayer".split())

LAYERS = frozenset(
    """
    Activation ActivityRegularization AdaptiveAveragePooling1D AdaptiveAveragePooling2D AdaptiveAveragePooling3D
    AdaptiveMaxPooling1D AdaptiveMaxPooling2D AdaptiveMaxPooling3D Add AdditiveAttention AlphaDropout Attention Average
    AveragePooling1D AveragePooling2D AveragePooling3D AvgPool1D AvgPool2D AvgPool3D BatchNormalization
    BatchNormalizationV1 BatchNormalizationV2 Bidirectional CenterCrop Concatenate Conv1D Conv1DTranspose Conv2D
    Conv2DTranspose Conv3D Conv3DTranspose ConvLSTM1D ConvLSTM1DCell ConvLSTM2D ConvLSTM2DCell ConvLSTM3D
    ConvLSTM3DCell Convolution1D Convolution1DTranspose Convolution2D Convolution2DTranspose Convolution3D
    Convolution3DTranspose Cropping1D Cropping2D Cropping3D CuDNNGRU CuDNNLSTM Dense DepthwiseConv1D DepthwiseConv2D
    Dot Dropout ELU EinsumDense Embedding Flatten GRU GRUCell GRUV2 GaussianDropout GaussianNoise
    GlobalAveragePooling1D GlobalAveragePooling2D GlobalAveragePooling3D GlobalAvgPool1D GlobalAvgPool2D
    GlobalAvgPool3D GlobalMaxPool1D GlobalMaxPool2D GlobalMaxPool3D GlobalMaxPooling1D GlobalMaxPooling2D
    GlobalMaxPooling3D GroupNormalization GroupQueryAttention GroupedQueryAttention Identity LSTM LSTMCell LSTMV2
    LayerNormalization LayerNormalizationV1 LayerNormalizationV2 LeakyReLU LocallyConnected1D LocallyConnected2D
    Masking MaxPool1D MaxPool2D MaxPool3D MaxPooling1D MaxPooling2D MaxPooling3D Maximum Minimum MultiHeadAttention
    Multiply Normalization PReLU Permute RMSNormalization RNN RandomBrightness RandomContrast RandomCrop RandomFlip
    RandomGaussianBlur RandomGrayscale RandomHeight RandomHue RandomRotation RandomSaturation RandomSharpness
    RandomShear RandomTranslation RandomWidth RandomZoom ReLU RepeatVector Rescaling Reshape Resizing SeparableConv1D
    SeparableConv2D SeparableConvolution1D SeparableConvolution2D SimpleRNN SimpleRNNCell Softmax SpatialDropout1D
    SpatialDropout2D SpatialDropout3D SpectralNormalization StackedRNNCells Subtract ThresholdedReLU TimeDistributed
    UnitNormalization UpSampling1D UpSampling2D UpSampling3D ZeroPadding1D ZeroPadding2D ZeroPadding3D
    """.split()
)

# Layers of networks in keras.applications, and of packages that are replaced on loading.
APPLICATION_LAYERS = frozenset("CustomScaleLayer FixedDropout LayerScale StochasticDepth".split())

SETTINGS = frozenset(
    """
    Constant ConstantV2 GlorotNormal GlorotNormalV2 GlorotUniform GlorotUniformV2 HeNormal HeNormalV2 HeUniform
    HeUniformV2 Identity IdentityInitializer IdentityV2 LecunNormal LecunNormalV2 LecunUniform LecunUniformV2 Ones
    OnesV2 Orthogonal OrthogonalInitializer OrthogonalV2 RandomNormal RandomNormalV2 RandomUniform RandomUniformV2
    TruncatedNormal TruncatedNormalV2 VarianceScaling VarianceScalingV2 Zeros ZerosV2
    L1 L1L2 L2 OrthogonalRegularizer
    MaxNorm MinMaxNorm NonNeg RadialConstraint UnitNorm
    DTypePolicy DTypePolicyMap FloatDTypePolicy Policy PolicyV1 QuantizedDTypePolicy QuantizedFloat8DTypePolicy
    SeedGenerator
    """.split()
)

# A model inside a model carries the arguments of its `compile`.
TRAINING = frozenset(
    """
    Adadelta Adafactor Adagrad Adam AdamW Adamax Ftrl Lamb Lion LossScaleOptimizer Muon Nadam RMSprop SGD
    CosineDecay CosineDecayRestarts ExponentialDecay InverseTimeDecay PiecewiseConstantDecay PolynomialDecay
    BinaryCrossentropy BinaryFocalCrossentropy CategoricalCrossentropy CategoricalFocalCrossentropy CategoricalHinge
    CosineSimilarity Hinge Huber KLDivergence LogCosh MeanAbsoluteError MeanAbsolutePercentageError MeanSquaredError
    MeanSquaredLogarithmicError Poisson SparseCategoricalCrossentropy SquaredHinge
    AUC Accuracy BinaryAccuracy CategoricalAccuracy F1Score FBetaScore FalseNegatives FalsePositives Mean
    MeanMetricWrapper Precision Recall RootMeanSquaredError SparseCategoricalAccuracy SparseTopKCategoricalAccuracy Sum
    TopKCategoricalAccuracy TrueNegatives TruePositives
    """.split()
)

# Values that are not objects of a layer's class: as Keras 3 marks them, and in the metadata of a SavedModel.
VALUES = frozenset(
    """
    __bytes__ __complex__ __ellipsis__ __keras_tensor__ __numpy__ __slice__ __tensor__ __tuple__
    InputSpec TensorShape TypeSpec
    """.split()
)

CLASSES = MODELS | LAYERS | APPLICATION_LAYERS | SETTINGS | TRAINING | VALUES

# Packages of the frameworks in which these classes and functions are defined. Others hold loaders,
# downloads and file functions: `keras.saving`, `keras.utils`.
MODULES = frozenset(
    """
    activations applications constraints dtype_policies engine initializers layers losses metrics mixed_precision models
    ops optimizers random regularizers
    """.split()
)
