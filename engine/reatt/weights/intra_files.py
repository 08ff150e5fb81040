"""The retrieval tokens of an INTRA model: a file beside the weights, which are those of the original model."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load_file

from reatt.model.asker import Asker
from reatt.model.retrieval_tokens import RetrievalTokens, untrained
from reatt.weights.folder import ModelFolder
from reatt_store.errors import ModelError


def read(folder: ModelFolder, asker: Asker) -> RetrievalTokens:
    """Read a model's retrieval tokens; a model that was never trained for INTRA gets untrained ones."""
    if asker.heads[0] == 0:
        message = f"{folder.name} has no decoder, so no cross-attention that could retrieve"
        raise ModelError(message, "use a model of the T5 family, or --method reatt", str(folder.path))
    if not folder.retrieval_tokens.is_file():
        return untrained(asker)
    try:
        found = load_file(folder.retrieval_tokens)
        tokens = RetrievalTokens(found["vectors"].float(), found["weights"].float())
    except (SafetensorError, KeyError, OSError) as error:
        raise _damaged(folder, str(error)) from None
    if not _fits(tokens, asker):
        raise _damaged(folder, "its shapes are not those of the model")
    return tokens


def _fits(tokens: RetrievalTokens, asker: Asker) -> bool:
    vectors, weights = tokens.vectors.shape, tokens.weights.shape
    return len(vectors) == 2 and vectors[0] > 0 and vectors[1] == asker.width and tuple(weights) == asker.heads


def _damaged(folder: ModelFolder, detail: str) -> ModelError:
    return ModelError(
        f"{folder.retrieval_tokens} is damaged: {detail}", "copy the model again", str(folder.retrieval_tokens)
    )
