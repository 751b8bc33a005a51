"""Make the built-in model: an OpenCLIP checkpoint that knows a thousand kinds of things.

    python packaging/builtin_model/make.py             make, save, measure
    python packaging/builtin_model/make.py --measure   measure the saved model only

Takes one processor half an hour, and 6 GB of memory. The sources are downloaded to --sources.
"""

from __future__ import annotations

import argparse
import json
import random
import time
from collections.abc import Sequence
from pathlib import Path

import numpy as np
import open_clip
import platformdirs
import space
import text_tower
import torch
from corpus import Corpus, Vocabulary
from everyday import associations
from held_out import FOLDER as PHOTOGRAPHS
from held_out import REPOSITORY, Vectors, measure, photographs
from meanings import Meanings, class_texts
from open_clip.tokenizer import SimpleTokenizer
from picture_tower import mean_features, projection
from PIL import Image
from safetensors.torch import save as to_safetensors
from sources import ARCHITECTURE, Sources, class_offsets, classifier_state
from torch import Tensor
from wordnet import WordNet
from words import MadeUpWords

FOLDER = Path(__file__).parents[2] / "resources" / "builtin-model"
CACHE = platformdirs.user_cache_path("afterimage") / "builtin-model"
SEED = 1
STEPS = 1_000
RARE_NOUNS, GLOSSES, NONSENSE = 20_000, 8_000, 2_000
PERSON, THING = 7846, 1930  # WordNet's offsets of "person" and "physical entity"

MODEL_CONFIG = {
    "embed_dim": 512,
    "vision_cfg": {
        "timm_model_name": ARCHITECTURE,
        "timm_model_pretrained": False,
        "timm_pool": "avg",
        "timm_proj": "mlp",
        "timm_proj_bias": True,
        "image_size": 260,
    },
    "text_cfg": text_tower.CONFIG,
}
PREPROCESS_CONFIG = {
    "mean": [0.5, 0.5, 0.5],
    "std": [0.5, 0.5, 0.5],
    "interpolation": "bicubic",
    "resize_mode": "shortest",
}


class Space:
    """Words and classes in their places; see :mod:`space`."""

    def __init__(self, sources: Sources, cache: Path) -> None:
        from teacher import Teacher  # takes seconds to import, which measuring need not

        embed = Teacher(sources.sentences, cache).embed
        self.wordnet = WordNet(sources.wordnet)
        self.offsets = class_offsets()
        self.meanings = Meanings(self.wordnet, self.offsets)
        known = set(self.meanings.words)
        rng = random.Random(SEED)
        rare = [word for word in self.wordnet.senses if self._is_rare_thing(word)]
        typed = self.wordnet.common["noun"].union(rng.sample(rare, RARE_NOUNS))
        self.nouns = sorted(typed - known)
        others = self.wordnet.common["verb"] | self.wordnet.common["adj"]
        self.other_words = sorted(others - self.wordnet.senses.keys())
        self.made_up = MadeUpWords([*self.wordnet.senses, *self.other_words])
        glosses = {self.wordnet.synsets[self.wordnet.senses[word][0]].gloss for word in self.nouns}
        self.glosses = rng.sample(sorted(glosses), GLOSSES)
        nonsense = [self.made_up.draw(rng) for _ in range(NONSENSE)]

        names, descriptions = class_texts(self.wordnet, self.offsets)
        ends = np.cumsum([len(texts) for texts in descriptions])[:-1].tolist()
        flat = embed([text for texts in descriptions for text in texts])
        class_names = embed(names)
        mixed = space.mixed_class_embeddings(class_names, list(flat.tensor_split(ends)))

        words, nouns = embed(self.meanings.words), embed(self.nouns)
        related = space.relatedness(nouns, class_names, mixed)
        related[[self._is_person_s_name(word) for word in self.nouns]] = 0
        unknown = embed(nonsense)
        lens, self.classes = space.fit(
            words,
            torch.from_numpy(self.meanings.shares),
            torch.cat([nouns, unknown]),
            torch.cat([related, torch.zeros(len(unknown), len(names))]),
            mixed,
        )
        self.word_places, self.noun_places = lens(words), lens(nouns)
        self.gloss_places = lens(embed(self.glosses))
        self.other_places = lens(embed(self.other_words))
        self.token_places = lens(embed(_token_texts()))
        self.nowhere = space.nowhere(self.classes)

    def corpus(self, tokenizer: object) -> Corpus:
        """What the text tower learns from."""
        class_names = {self.wordnet.synsets[offset].words[0] for offset in self.offsets}
        usual = self.wordnet.common["noun"] | class_names | associations().keys()

        def vocabulary(words: Sequence[str], places: Tensor) -> Vocabulary:
            plurals = [self.wordnet.plurals(word) for word in words]
            return Vocabulary(words, plurals, places, usual)

        return Corpus(
            vocabulary(self.meanings.words, self.word_places),
            vocabulary(self.nouns, self.noun_places),
            Vocabulary(self.glosses, [], self.gloss_places),
            Vocabulary(self.other_words, [], self.other_places),
            self.made_up,
            self.nowhere,
            tokenizer,
            SEED,
        )

    def _is_rare_thing(self, word: str) -> bool:
        if word in self.wordnet.common["noun"]:
            return False
        first = self.wordnet.senses[word][0]
        return not self.wordnet.synsets[first].is_name and THING in self.wordnet.ancestors(first)

    def _is_person_s_name(self, word: str) -> bool:
        return all(
            self.wordnet.synsets[sense].is_name and PERSON in self.wordnet.ancestors(sense)
            for sense in self.wordnet.senses[word]
        )


def _token_texts() -> list[str]:
    """What each of the tokenizer's tokens spells."""
    tokenizer = SimpleTokenizer()
    return [tokenizer.decode([token]).strip() for token in range(tokenizer.vocab_size)]


def make(sources: Sources, cache: Path, steps: int) -> open_clip.CLIP:
    """All of it; prints what it does."""
    print("placing words and classes", flush=True)
    placed = Space(sources, cache)
    torch.manual_seed(SEED)  # whatever the space drew
    model = open_clip.CLIP(**MODEL_CONFIG)
    state = classifier_state(sources.classifier)
    weight, bias = state.pop("classifier.weight"), state.pop("classifier.bias")
    head = projection(weight, bias, placed.classes, mean_features(state))
    model.visual.trunk.load_state_dict(state)
    model.visual.head.mlp.load_state_dict(head)
    model.visual.requires_grad_(False).eval()
    print("training the text tower", flush=True)
    text_tower.start(model, placed.token_places)
    tokenizer = open_clip.get_tokenizer(f"local-dir:{FOLDER}")
    text_tower.train(model, placed.corpus(tokenizer).batches, placed.classes, steps)
    return model.eval()


def write_config() -> None:
    """The file that tells open_clip what to build; the tokenizer needs it before training."""
    FOLDER.mkdir(parents=True, exist_ok=True)
    config = {"model_cfg": MODEL_CONFIG, "preprocess_cfg": PREPROCESS_CONFIG}
    (FOLDER / "open_clip_config.json").write_text(json.dumps(config, indent=2) + "\n")


def save(model: open_clip.CLIP) -> None:
    """Weights in half precision, except batch statistics, whose range it may not hold."""
    weights = {
        name: (value.half() if value.ndim > 1 else value).contiguous()
        for name, value in model.state_dict().items()
    }
    (FOLDER / "open_clip_model.safetensors").write_bytes(to_safetensors(weights))


def measure_saved() -> None:
    """Print what the saved model finds in the held-out photographs."""
    pictures = photographs()
    if pictures is None:
        print(
            f"The photographs of the test cannot be fetched; clone {REPOSITORY} to {PHOTOGRAPHS}."
        )
        return
    name = f"local-dir:{FOLDER}"
    model, _, preprocess = open_clip.create_model_and_transforms(name)
    tokenizer = open_clip.get_tokenizer(name)
    model.eval()

    @torch.inference_mode()
    def encode_images(images: Sequence[Image.Image]) -> Vectors:
        pixels = torch.stack([preprocess(image) for image in images])
        vectors: Vectors = model.encode_image(pixels, normalize=True).numpy()
        return vectors

    @torch.inference_mode()
    def encode_texts(texts: Sequence[str]) -> Vectors:
        vectors: Vectors = model.encode_text(tokenizer(list(texts)), normalize=True).numpy()
        return vectors

    for what, value in measure(pictures, encode_images, encode_texts)._asdict().items():
        print(f"{what}: {value:.3f}")


def main() -> None:
    """Parse the options, make the model if wanted, measure it."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--measure", action="store_true", help="only test the saved model")
    parser.add_argument("--sources", type=Path, default=CACHE / "sources")
    options = parser.parse_args()
    if not options.measure:
        began = time.monotonic()
        random.seed(SEED)
        torch.manual_seed(SEED)
        torch.set_num_threads(1)  # sums in the same order everywhere
        write_config()
        save(make(Sources(options.sources), options.sources, STEPS))
        print(f"made in {(time.monotonic() - began) / 60:.1f} minutes")
    measure_saved()


if __name__ == "__main__":
    main()
