"""The retrieval tokens of an INTRA model: a file beside the weights, which are those of the original model."""

from __future__ import annotations

from safetensors import SafetensorError
from safetensors.torch import load_file

from reatt.model.asker import Asker
from reatt.model.retrieval_tokens import RetrievalTokens, untrained
from reatt.weights import headers
from reatt.weights.files import AGAIN
from reatt.weights.folder import ModelFolder
from reatt_store.errors import ModelError

MOST = 4096  # retrieval tokens


def read(folder: ModelFolder, asker: Asker) -> RetrievalTokens:
    """Read a model's retrieval tokens; a model that was never trained for INTRA gets untrained ones."""
    if asker.heads[0] == 0:
        message = f"{folder.name} has no decoder, so no cross-attention that could retrieve"
        raise ModelError(message, "use a model of the T5 family, or --method reatt", str(folder.path))
    if not folder.retrieval_tokens.is_file():
        return untrained(asker)
    entries = headers.of_file(folder.retrieval_tokens)
    shapes = {name: entry.shape for name, entry in entries.items()}
    count, *_ = shapes.get("vectors") or (0,)
    if not 0 < count <= MOST or shapes != {"vectors": (count, asker.width), "weights": asker.heads}:
        raise _damaged(folder, "its shapes are not those of the model")
    headers.require_floats(entries, folder.retrieval_tokens)
    try:
        found = load_file(folder.retrieval_tokens)
    except (SafetensorError, OSError) as error:
        raise _damaged(folder, str(error)) from None
    return RetrievalTokens(found["vectors"].float(), found["weights"].float())


def _damaged(folder: ModelFolder, detail: str) -> ModelError:
    return ModelError(f"{folder.retrieval_tokens} is damaged: {detail}", AGAIN, str(folder.retrieval_tokens))
