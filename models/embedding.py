"""Texts as points: sentence embeddings of the untouched encoder, and a picture of them in two dimensions."""

from __future__ import annotations

from collections.abc import Sequence
from functools import lru_cache

import numpy as np
import torch

from models.checkpoint import LOADING
from models.encoder import encoder_dir

MAX_TOKENS = 128
BATCH = 64
FEW = 12
"""Fewer points are laid out by their principal components."""
MOST_CLUSTERS = 8


@lru_cache(maxsize=1)
def _encoder() -> tuple[torch.nn.Module, object]:
    from transformers import AutoModel, AutoTokenizer

    folder = encoder_dir()
    with LOADING:
        return AutoModel.from_pretrained(folder).eval(), AutoTokenizer.from_pretrained(folder)


def embed(texts: Sequence[str]) -> np.ndarray:
    """Unit vectors, shape (text, 384): the mean over a text's tokens, as the encoder was trained (Reimers and
    Gurevych 2019). Texts over 128 tokens are cut. Raises EncoderError."""
    model, tokenizer = _encoder()
    order = sorted(range(len(texts)), key=lambda i: len(texts[i]))
    vectors = np.zeros((len(texts), model.config.hidden_size), dtype=np.float32)
    for start in range(0, len(order), BATCH):
        chosen = order[start : start + BATCH]
        batch = tokenizer(
            [texts[i] for i in chosen], padding=True, truncation=True, max_length=MAX_TOKENS, return_tensors="pt"
        )
        with torch.inference_mode():
            tokens = model(**batch).last_hidden_state
        mask = batch["attention_mask"].unsqueeze(-1)
        means = (tokens * mask).sum(1) / mask.sum(1)
        vectors[chosen] = torch.nn.functional.normalize(means, dim=1).numpy()
    return vectors


def lay_out(vectors: np.ndarray) -> np.ndarray:
    """The vectors in two dimensions, shape (text, 2): t-SNE (van der Maaten and Hinton 2008), for few points PCA."""
    from sklearn.decomposition import PCA
    from sklearn.manifold import TSNE

    if len(vectors) < 3:
        return np.stack([np.arange(len(vectors)), np.zeros(len(vectors))], axis=1)
    if len(vectors) < FEW:
        return PCA(2, random_state=0).fit_transform(vectors)
    perplexity = min(30.0, (len(vectors) - 1) / 3)
    return TSNE(2, perplexity=perplexity, init="pca", random_state=0).fit_transform(vectors)


def cluster(vectors: np.ndarray) -> list[int]:
    """The cluster of each vector, from 0: k-means with about the root of half as many clusters as points."""
    from sklearn.cluster import KMeans

    count = min(MOST_CLUSTERS, max(1, round((len(vectors) / 2) ** 0.5)))
    return KMeans(count, n_init=4, random_state=0).fit_predict(vectors).tolist()
