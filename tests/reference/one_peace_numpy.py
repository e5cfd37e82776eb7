"""The model once more, slowly and plainly, in NumPy float64 and under the released names. One row at a time."""

from __future__ import annotations

import math

import numpy as np

MEAN = np.array([0.48145466, 0.4578275, 0.40821073])
STD = np.array([0.26862954, 0.26130258, 0.27577711])


class Reference:
    """A released checkpoint's weights and settings, and what the model computes with them."""

    def __init__(self, cfg, state):
        self.cfg, self.task = cfg["model"], cfg["task"]
        self.encoder = self.cfg["encoder"]
        self.state = {key: value.double().numpy() for key, value in state.items()}

    def embed(self, modality, *inputs):
        features = self.encode([(modality, *self.adapter(modality, *inputs))])[modality]
        vector = self.linear(f"{modality}_proj", features[0])
        return vector / np.linalg.norm(vector)

    def classify(self, inputs):
        """`inputs`: modality → adapter inputs; a pair of images is a list under `image`."""
        images = inputs.get("image")
        if isinstance(images, list):
            text = ("text", *self.adapter("text", *inputs["text"]))
            pooled = [
                self.pool(self.encode([text, ("image", *self.image(image, second=number == 1))])["text"])
                for number, image in enumerate(images)
            ]
            return self.classifier(np.concatenate(pooled))
        parts = [(modality, *self.adapter(modality, *inputs[modality])) for modality in inputs]
        pooled_modality = "image" if self.cfg["use_image_features"] and "image" in inputs else parts[0][0]
        return self.classifier(self.pool(self.encode(parts)[pooled_modality]))

    def adapter(self, modality, *inputs):
        return getattr(self, modality)(*inputs)

    def text(self, tokens):
        prefix = "encoder_wrapper.text_adapter."
        words = [self.state[prefix + "embed_tokens.weight"][token] for token in tokens]
        x = np.stack([self.state[prefix + "cls_embedding"][0, 0], *words])
        x = self.embedding_norm(prefix, x) + self.state[prefix + "embed_positions.weight"][: len(x)]
        return self.typed(prefix, x), self.sequence_biases("text", len(x))

    def image(self, pixels, second=False):
        prefix = "encoder_wrapper.image_adapter."
        x = (pixels / 255 - MEAN[:, None, None]) / STD[:, None, None]
        if self.encoder["image_adapter"]["vision_encoder_type"] == "mlp":
            x = self.patches(x, self.state[prefix + "embed_images.weight"], 0)
        else:
            for conv, norm, side in ((0, 1, 4), (3, 4, 2), (6, None, 2)):
                name = f"{prefix}embed_images.{conv}."
                weight, bias = self.state[name + "weight"], self.state[name + "bias"]
                assert weight.shape[-1] == side
                x = self.patches(x, weight, bias)
                if norm is not None:
                    x = gelu(self.norm(f"{prefix}embed_images.{norm}.layer_norm", x.transpose(1, 2, 0)))
                    x = x.transpose(2, 0, 1)
        grid = x.shape[1]
        x = np.concatenate([self.state[prefix + "cls_embedding"][0], x.reshape(x.shape[0], -1).T])
        x = self.embedding_norm(prefix, x) + resize_grid(self.state[prefix + "pos_embed"], grid)
        x = self.typed(prefix, x)
        if second and prefix + "type_embedding_2" in self.state:
            x = x + self.state[prefix + "type_embedding_2"][0]
        return x, self.biases("image", image_buckets(grid))

    def audio(self, waveform):
        prefix = "encoder_wrapper.audio_adapter."
        x = waveform[None]
        number = 0
        while (name := f"{prefix}embed_audios.0.conv_layers.{number}.") + "0.weight" in self.state:
            stride = 5 if number == 0 else 2
            x = conv1d(x, self.state[name + "0.weight"], stride) + self.state.get(name + "0.bias", np.zeros(1))[:, None]
            x = gelu(self.norm(name + "2.1", x.T)).T
            number += 1
        frames = self.linear(prefix + "embed_audios.3", self.norm(prefix + "embed_audios.2", x.T))
        places = frames
        for block in range(1, self.encoder["audio_adapter"]["conv_pos_depth"] + 1):
            name = f"{prefix}embed_positions.{block}.0."
            weight, bias = self.state[name + "weight"], self.state[name + "bias"]
            places = grouped_conv1d(places.T, weight, bias)[:, : len(frames)].T
            places = gelu(normalize(places))
        x = np.concatenate([self.state[prefix + "cls_embedding"][0], frames])
        x = self.embedding_norm(prefix, x)
        x = x + np.concatenate([self.state[prefix + "cls_pos_embed"][0], places])
        return self.typed(prefix, x), self.sequence_biases("audio", len(x))

    def encode(self, parts):
        """`parts`: (modality, tokens [T, D], biases) in order → features of each modality."""
        x = np.concatenate([tokens for _, tokens, _ in parts])
        for number in range(self.encoder["layers"]):
            bias = np.zeros((self.encoder["attention_heads"], len(x), len(x)))
            start = 0
            for _, tokens, biases in parts:
                end = start + len(tokens)
                if biases:
                    bias[:, start:end, start:end] = biases[number if len(biases) > 1 else 0]
                start = end
            x = self.layer(number, x, bias, parts)
        found, start = {}, 0
        for modality, tokens, _ in parts:
            part = x[start : start + len(tokens)]
            found[modality] = self.norm(f"encoder_wrapper.fusion_model.{modality}_layer_norm", part)
            start += len(tokens)
        return found

    def layer(self, number, x, bias, parts):
        prefix = f"encoder_wrapper.fusion_model.layers.{number}."
        mixed = self.attention(prefix + "self_attn.", self.norm(prefix + "self_attn_layer_norm", x), bias)
        if prefix + "attn_ln.weight" in self.state:
            mixed = self.norm(prefix + "attn_ln", mixed)
        x = x + mixed * self.state.get(prefix + "gamma_1", 1)
        normed, fed, start = self.norm(prefix + "final_layer_norm", x), [], 0
        for modality, tokens, _ in parts:
            part, name = normed[start : start + len(tokens)], f"{prefix}{modality}_ffn."
            part = gelu(self.linear(name + "0.wi_0", part)) * self.linear(name + "0.wi_1", part)
            if name + "2.weight" in self.state:
                part = self.norm(name + "2", part)
            fed.append(self.linear(name + "3", part))
            start += len(tokens)
        return x + np.concatenate(fed) * self.state.get(prefix + "gamma_2", 1)

    def attention(self, prefix, x, bias):
        heads = self.encoder["attention_heads"]
        width = x.shape[1] // heads
        q = self.linear(prefix + "q_proj", x) * width**-0.5
        k, v = self.linear(prefix + "k_proj", x), self.linear(prefix + "v_proj", x)
        mixed = []
        for head in range(heads):
            part = slice(head * width, (head + 1) * width)
            out = softmax(q[:, part] @ k[:, part].T + bias[head]) @ v[:, part]
            if prefix + "c_attn" in self.state:
                out = out * self.state[prefix + "c_attn"][head]
            mixed.append(out)
        joined = np.concatenate(mixed, axis=1)
        if prefix + "ln.weight" in self.state:
            joined = self.norm(prefix + "ln", joined)
        return self.linear(prefix + "out_proj", joined)

    def pool(self, x):
        name = "classify_head.attn_pooling_func."
        if not self.cfg["attn_pooling"]:
            pooled = x[0]
        else:
            x, query = x[1:], self.state[name + "q"][0, 0]
            k, v = self.linear(name + "k_proj", x), self.linear(name + "v_proj", x)
            width, mixed = query.shape[1], []
            for head, row in enumerate(query):
                part = slice(head * width, (head + 1) * width)
                mixed.append(softmax(row @ k[:, part].T) @ v[:, part])
            pooled = self.norm("classify_head.norm", self.linear(name + "out_proj", np.concatenate(mixed)))
        return np.tanh(self.linear("classify_head.pooler.1", pooled)) if self.cfg["use_pooler"] else pooled

    def classifier(self, pooled):
        hidden = self.norm("classify_head.classifier.1", self.linear("classify_head.classifier.0", pooled))
        return self.linear("classify_head.classifier.3", gelu(hidden))

    def linear(self, name, x):
        return x @ self.state[name + ".weight"].T + self.state.get(name + ".bias", 0)

    def norm(self, name, x):
        return normalize(x) * self.state[name + ".weight"] + self.state[name + ".bias"]

    def embedding_norm(self, prefix, x):
        name = prefix + "layernorm_embedding"
        return self.norm(name, x) if name + ".weight" in self.state else x

    def typed(self, prefix, x):
        return x + self.state[prefix + "type_embedding"][0] if prefix + "type_embedding" in self.state else x

    def patches(self, x, weight, bias):
        side, (rows, columns) = weight.shape[-1], x.shape[1:]
        out = np.zeros((weight.shape[0], rows // side, columns // side))
        for row in range(rows // side):
            for column in range(columns // side):
                window = x[:, row * side : (row + 1) * side, column * side : (column + 1) * side]
                out[:, row, column] = (weight * window).sum((1, 2, 3)) + bias
        return out

    def sequence_biases(self, modality, length):
        return self.biases(modality, sequence_buckets(length, self.encoder[f"{modality}_adapter"]["bucket_size"]))

    def biases(self, modality, buckets):
        name, found = f"encoder_wrapper.{modality}_adapter.rel_pos_table_list.", []
        while f"{name}{len(found)}.weight" in self.state:
            found.append(self.state[f"{name}{len(found)}.weight"][buckets].transpose(2, 0, 1))
        return found


def sequence_buckets(length, size):
    mid, buckets = size // 2, np.zeros((length, length), dtype=int)
    for i in range(length):
        for j in range(length):
            distance = i - j
            reach = mid - 1 if abs(distance) < mid else abs(distance)
            if reach > mid:
                steps = math.ceil(math.log(reach / mid) / math.log(1023 / mid) * (mid - 1))
                distance = int(math.copysign(mid + steps, distance))
            buckets[i, j] = distance + size - 1
    buckets[1:, 1:] = buckets[: length - 1, : length - 1]
    return with_cls(buckets, 2 * size - 1)


def image_buckets(grid):
    cells = [(row, column) for row in range(grid) for column in range(grid)]
    buckets = np.zeros((len(cells) + 1, len(cells) + 1), dtype=int)
    for i, (row, column) in enumerate(cells, 1):
        for j, (other_row, other_column) in enumerate(cells, 1):
            buckets[i, j] = (row - other_row + grid - 1) * (2 * grid - 1) + column - other_column + grid - 1
    return with_cls(buckets, (2 * grid - 1) ** 2)


def with_cls(buckets, first):
    buckets[0, :], buckets[:, 0], buckets[0, 0] = first, first + 1, first + 2
    return buckets


def resize_grid(table, grid):
    """Bicubic as in Keys 1981 with a = −0.75, pixel centres at halves, edges repeated."""
    learned = math.isqrt(len(table) - 1)
    if learned == grid:
        return table
    cells = table[1:].reshape(learned, learned, -1)
    weights = np.zeros((grid, learned))
    for target in range(grid):
        centre = (target + 0.5) * learned / grid - 0.5
        for source in range(math.floor(centre) - 1, math.floor(centre) + 3):
            weights[target, min(max(source, 0), learned - 1)] += cubic(abs(centre - source))
    resized = np.einsum("pi,qj,ijd->pqd", weights, weights, cells)
    return np.concatenate([table[:1], resized.reshape(grid * grid, -1)])


def cubic(t, a=-0.75):
    if t <= 1:
        return (a + 2) * t**3 - (a + 3) * t**2 + 1
    return a * t**3 - 5 * a * t**2 + 8 * a * t - 4 * a if t < 2 else 0.0


def conv1d(x, weight, stride):
    kernel = weight.shape[2]
    starts = range(0, x.shape[1] - kernel + 1, stride)
    return np.stack([np.einsum("ock,ck->o", weight, x[:, start : start + kernel]) for start in starts], axis=1)


def grouped_conv1d(x, weight, bias):
    kernel, inputs, outputs = weight.shape[2], weight.shape[1], weight.shape[0]
    groups = x.shape[0] // inputs
    padded = np.pad(x, ((0, 0), (kernel // 2, kernel // 2)))
    parts = [
        conv1d(
            padded[group * inputs : (group + 1) * inputs],
            weight[group * outputs // groups : (group + 1) * outputs // groups],
            1,
        )
        for group in range(groups)
    ]
    return np.concatenate(parts) + bias[:, None]


def normalize(x):
    return (x - x.mean(-1, keepdims=True)) / np.sqrt(x.var(-1, keepdims=True) + 1e-5)


def gelu(x):
    return x * 0.5 * (1 + np.vectorize(math.erf)(x / math.sqrt(2)))


def softmax(x):
    e = np.exp(x - x.max(-1, keepdims=True))
    return e / e.sum(-1, keepdims=True)
