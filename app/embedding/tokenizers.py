"""Tokenizers that are not OpenCLIP's own: small files beside a model's weights on the hub.

Imports neither torch nor open_clip; transformers loads them when the model is loaded.
"""

from __future__ import annotations

from app.embedding.catalogue import architecture_config
from app.engine.place import find_engine
from app.errors import AppError, first_line

_FILES = ("tokenizer_config.json", "tokenizer.json", "special_tokens_map.json")


def fetch_tokenizer(spec: str) -> None:
    """Have the tokenizer of ``name/pretrained`` in the hub's cache, so that it loads offline.

    Does nothing for a model with OpenCLIP's own tokenizer.

    Raises:
        AppError: the hub cannot be reached.
    """
    if not find_engine():
        return  # it is fetched when the model is first loaded
    text = architecture_config(spec).get("text_cfg", {})
    repository = str(text.get("hf_tokenizer_name") or "")
    if not repository:
        return
    from huggingface_hub import hf_hub_download, try_to_load_from_cache
    from huggingface_hub.errors import EntryNotFoundError, HfHubHTTPError, LocalEntryNotFoundError

    for name in _FILES:
        if try_to_load_from_cache(repository, name) is not None:
            continue
        try:
            hf_hub_download(repository, name)
        except LocalEntryNotFoundError as error:
            raise _unreachable(spec, error) from error
        except EntryNotFoundError:
            continue  # not every tokenizer has all of them
        except (HfHubHTTPError, OSError) as error:
            raise _unreachable(spec, error) from error


def _unreachable(spec: str, error: Exception) -> AppError:
    return AppError(
        f"The tokenizer of the model {spec} cannot be downloaded: {first_line(error)}.",
        "Connect to the internet and try again; the weights are kept.",
    )
