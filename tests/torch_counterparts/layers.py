"""Networks whose every layer reads the one before it, as one writes them in torch."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from torch import nn, zeros

if TYPE_CHECKING:
    from torch import Tensor


def conv3x3(channels: int, out: int, stride: int = 1, padding: int = 1) -> nn.Conv2d:
    """Return a convolution as ResNets have it."""
    return nn.Conv2d(channels, out, 3, stride, padding, bias=False)


def tokens(length: int) -> Tensor:
    """Return a batch of indices."""
    return zeros(2, length, dtype=torch.int64)


def linear_after_bigger_picture() -> None:
    """LeNet for 32×32 instead of 28×28."""
    nn.Sequential(
        *(nn.Conv2d(1, 6, 5, padding=2), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        *(nn.Conv2d(6, 16, 5), nn.Sigmoid(), nn.AvgPool2d(2, 2)),
        *(nn.Flatten(), nn.Linear(400, 120), nn.Sigmoid(), nn.Linear(120, 10)),
    )(zeros(2, 1, 32, 32))


def linear_of_other_width() -> None:
    """The hidden layer was made wider."""
    layers = (nn.Linear(784, 512), nn.ReLU(), nn.Dropout(0.2), nn.Linear(256, 10))
    nn.Sequential(*layers)(zeros(2, 784))


def forgotten_flatten() -> None:
    """AlexNet without x.view(-1, 9216)."""
    features = nn.Sequential(nn.Conv2d(3, 256, 11, 4, 2), nn.ReLU(), nn.AdaptiveAvgPool2d((6, 6)))
    nn.Sequential(features, nn.Dropout(), nn.Linear(9216, 4096))(zeros(2, 3, 64, 64))


def pooled_but_not_flat() -> None:
    """A global pool, and a Linear behind it."""
    nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.Linear(512, 1000))(zeros(2, 512, 7, 7))


def grey_pictures() -> None:
    """Written for MNIST, given CIFAR-10."""
    nn.Conv2d(1, 32, 3, padding=1)(zeros(2, 3, 32, 32))


def channels_last() -> None:
    """Height, width, channels."""
    nn.Conv2d(3, 64, 7, 2, 3)(zeros(2, 224, 224, 3))


def frames_first() -> None:
    """Frames, channels, height, width."""
    nn.Conv3d(3, 64, 3, padding=1)(zeros(2, 16, 3, 112, 112))


def no_channels() -> None:
    """Height and width only: torch takes the batch for channels."""
    nn.Conv2d(1, 32, 3)(zeros(2, 28, 28))


def batch_in_the_shape() -> None:
    """A batch of batches."""
    nn.Conv2d(3, 16, 3)(zeros(2, 64, 3, 32, 32))


def conv1d_of_a_spectrogram() -> None:
    """A picture of sound."""
    nn.Conv1d(1, 256, 5, padding=2)(zeros(2, 1, 80, 300))


def batchnorm2d_behind_flatten() -> None:
    """The norm of the convolutions above."""
    layers = (nn.Flatten(), nn.Linear(3072, 128, bias=False), nn.BatchNorm2d(128))
    nn.Sequential(*layers)(zeros(2, 3, 32, 32))


def batchnorm_copied() -> None:
    """The norm of the block above."""
    nn.Sequential(conv3x3(64, 128), nn.BatchNorm2d(64))(zeros(2, 64, 32, 32))


def layernorm_of_other_size() -> None:
    """ConvNeXt with another stride."""
    nn.Sequential(nn.Conv2d(3, 96, 4, 4), nn.LayerNorm([96, 32, 32]))(zeros(2, 3, 64, 64))


def upsample_of_a_sequence() -> None:
    """A mode for pictures."""
    nn.Upsample(scale_factor=2, mode="bilinear")(zeros(2, 64, 100))


def gru_of_a_picture() -> None:
    """Channels, rows and columns."""
    nn.GRU(28, 128, 2, batch_first=True)(zeros(2, 1, 28, 28))


def lstm_both_directions() -> None:
    """bidirectional=True doubles the features."""
    y, _ = nn.LSTM(100, 128, batch_first=True, bidirectional=True)(zeros(2, 8, 100))
    nn.Linear(128, 2)(y[:, -1])


def lstm_input_size() -> None:
    """GloVe vectors of another size."""
    embed = nn.Embedding(200, 300)
    nn.LSTM(100, 256, 2, batch_first=True)(embed(tokens(80)))


def lstm_hidden_state() -> None:
    """The last states of both layers, each sample's in a row."""
    _, (h_n, _) = nn.LSTM(100, 128, 2, batch_first=True)(zeros(2, 8, 100))
    nn.Linear(128, 2)(h_n.transpose(0, 1).flatten(1))


def transformer_width() -> None:
    """The d_model of the paper."""
    encoder = nn.TransformerEncoderLayer(512, 8, batch_first=True)
    encoder(nn.Embedding(320, 256)(tokens(128)))


def attention_heads() -> None:
    """300 / 8 is not whole."""
    nn.MultiheadAttention(300, 8, batch_first=True)


def attention_other_widths() -> None:
    """Keys of 768 features for a kdim of 512."""
    words, patches = zeros(2, 20, 512), zeros(2, 49, 768)
    cross = nn.MultiheadAttention(512, 8, kdim=512, vdim=512, batch_first=True)
    cross(words, patches, patches)


def attention_without_transpose() -> None:
    """Q @ k instead of q @ k.transpose(-2, -1)."""
    q, k = zeros(2, 64, 32), zeros(2, 64, 32)
    torch.matmul(q, k)


def vit_patches_first() -> None:
    """Width × patches, where patches × width are wanted."""
    patches = nn.Conv2d(3, 768, 16, 16)(zeros(2, 3, 224, 224)).flatten(2)
    nn.TransformerEncoderLayer(768, 12, batch_first=True)(patches)


def vit_class_token() -> None:
    """A row, put in front of columns."""
    patches = nn.Conv2d(3, 192, 4, 4)(zeros(2, 3, 32, 32)).flatten(2)
    torch.cat([zeros(1, 1, 192).expand(2, -1, -1), patches], 1)


def vit_position_embedding() -> None:
    """Positions of the patches, without that of the class token."""
    torch.cat([zeros(2, 1, 192), zeros(2, 196, 192)], 1) + zeros(1, 196, 192)


def embedding_of_floats() -> None:
    """Words as float32."""
    nn.Embedding(30522, 128)(zeros(2, 128))


def tokens_into_linear() -> None:
    """Words into a Linear."""
    nn.Linear(128, 256)(tokens(128))


def alexnet_on_cifar() -> None:
    """AlexNet for 224×224."""
    nn.Sequential(
        *(nn.Conv2d(3, 64, 11, 4, 2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(64, 192, 5, padding=2), nn.ReLU(), nn.MaxPool2d(3, 2)),
        *(nn.Conv2d(192, 384, 3, padding=1), nn.ReLU(), nn.MaxPool2d(3, 2)),
    )(zeros(2, 3, 32, 32))


def last_pool_of_resnet() -> None:
    """AvgPool2d(7) of 4×4."""
    nn.AvgPool2d(7)(zeros(2, 512, 4, 4))


def one_pool_too_many() -> None:
    """Six halvings of 32."""
    nn.Sequential(*(nn.MaxPool2d(2) for _ in range(6)))(zeros(2, 3, 32, 32))


def dilated_without_padding() -> None:
    """ASPP without its padding."""
    nn.Conv2d(256, 256, 3, dilation=18)(zeros(2, 256, 28, 28))


def reflect_on_small_maps() -> None:
    """Four rows reflect three."""
    nn.ReflectionPad2d(4)(zeros(2, 512, 4, 4))


def kernel_of_a_long_filter() -> None:
    """A filter longer than the frame."""
    nn.Conv1d(1, 64, 80, 4)(zeros(2, 1, 64))


def depthwise_groups() -> None:
    """Groups of another block."""
    nn.Sequential(nn.Conv2d(24, 144, 1), nn.Conv2d(144, 96, 3, padding=1, groups=96))


def groupnorm_of_48() -> None:
    """32 groups of 48 channels."""
    nn.GroupNorm(32, 48)


def shuffle_of_channels() -> None:
    """272 channels in 3 groups."""
    nn.ChannelShuffle(3)(zeros(2, 272, 28, 28))


def pixelshuffle() -> None:
    """12 channels for squares of 9."""
    nn.PixelShuffle(3)(zeros(2, 12, 72, 72))


def pixelunshuffle_of_odd_size() -> None:
    """75 rows in pairs."""
    nn.PixelUnshuffle(2)(zeros(2, 3, 75, 75))


def gated_unit_of_odd_width() -> None:
    """65 features in two halves."""
    nn.GLU()(nn.Linear(125, 65)(zeros(2, 125)))


def generator_start() -> None:
    """16384 values are not 512×4×4."""
    nn.Unflatten(1, (512, 4, 4))(zeros(2, 16384))


def decoder_of_other_size() -> None:
    """3136 values are not 64×8×8."""
    nn.Unflatten(1, (64, 8, 8))(zeros(2, 3136))


def heads_of_attention() -> None:
    """512 features are not 8 heads of 60."""
    zeros(2, 50, 512).reshape(2, 50, 8, 60)


def flatten_with_the_batch() -> None:
    """torch.flatten without start_dim: two samples become one."""
    nn.Linear(1600, 10)(torch.flatten(zeros(2, 64, 5, 5)))


def softmax_over_nothing() -> None:
    """The axis of a sequence."""
    nn.Softmax(2)(nn.Linear(128, 10)(zeros(2, 128)))


def concat_along_the_batch() -> None:
    """Four samples instead of 128 channels."""
    both = torch.cat([zeros(2, 64, 8, 8), zeros(2, 64, 8, 8)], 0)
    nn.Conv2d(128, 64, 3)(both)


def permute_without_the_batch() -> None:
    """Three axes of four."""
    zeros(2, 224, 224, 3).permute(2, 0, 1)


def bilinear_of_one() -> None:
    """The answer is missing."""
    nn.Bilinear(128, 128, 1)(zeros(2, 128))


def unpool_without_indices() -> None:
    """The indices are missing."""
    y, _ = nn.MaxPool2d(2, return_indices=True)(zeros(2, 64, 32, 32))
    nn.MaxUnpool2d(2)(y)


def instancenorm_behind_global_pool() -> None:
    """One value per channel."""
    nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.InstanceNorm2d(64))(zeros(2, 64, 8, 8))


def groupnorm_behind_global_pool() -> None:
    """One value per group, and one sample."""
    nn.Sequential(nn.AdaptiveAvgPool2d(1), nn.GroupNorm(64, 64), nn.ReLU())(zeros(1, 64, 8, 8))


def fold_of_other_patches() -> None:
    """196 patches where 225 are wanted."""
    patches = nn.Unfold(16, stride=16)(zeros(2, 3, 224, 224))
    nn.Fold((240, 240), 16, stride=16)(patches)


def one_hot_into_linear() -> None:
    """Whole numbers into a Linear."""
    nn.Linear(4, 6)(nn.functional.one_hot(tokens(10), 4))


def topk_of_too_few() -> None:
    """Five of three scores."""
    nn.Linear(8, 3)(zeros(2, 8)).topk(5)
