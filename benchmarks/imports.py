"""Import networks that others wrote, and count how many come back exactly.

    python -m benchmarks.imports hand           # the networks that the tests write by hand
    python -m benchmarks.imports torchvision    # torchvision's classifiers
    python -m benchmarks.imports transformers   # small ones of transformers
    python -m benchmarks.imports timm --seed 7  # twenty of timm, drawn by chance

Each line of the table is a network: the largest difference of its outputs between the module and
the config for batches of 1, 2 and 5 samples, the lines of the config, and those of the config of
the same name in `configs/torchvision`. `exact` means a difference of 0 and no gap. The groups need
their packages, of which no weights are loaded.
"""

from __future__ import annotations

import argparse
import importlib
import random
import time
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import torch

from netbuild.diagnostics.exceptions import ImportedError
from netbuild.exchange.importer.imported import imported

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

ROOT = Path(__file__).parent.parent
WRITTEN = ROOT / "configs" / "torchvision"
#: The sizes of images for networks that take no other size; 64 for the rest.
SIZES = {"vit_h": 70, "swin_v2": 256, "swin": 224, "maxvit": 224, "inception": 299}
#: Networks with more parameters are passed over.
MOST = {"torchvision": 100_000_000, "timm": 60_000_000}

#: A name, what makes the module, and its inputs.
Case = tuple[str, "Callable[[], torch.nn.Module]", Any]


def hand(_: argparse.Namespace) -> Iterator[Case]:
    """Yield the networks of the tests that are written by hand."""
    tests = importlib.import_module("tests.test_torchvision")
    sizes = {**tests.SIZES, "vit": 224}
    for name, make in tests.BY_HAND.items():
        size = next((n for begin, n in sizes.items() if name.startswith(begin)), 64)
        yield name, make, torch.randn(2, 3, size, size)
    networks = importlib.import_module("tests.networks.by_hand")
    for name, make, x in networks.cases():
        yield name, make, x


def torchvision(_: argparse.Namespace) -> Iterator[Case]:
    """Yield torchvision's own classifiers of at most `MOST` parameters."""
    models: Any = importlib.import_module("torchvision.models")
    for name in models.list_models(module=models):
        size = next((n for begin, n in SIZES.items() if name.startswith(begin)), 64)
        given = {"image_size": size} if name.startswith("vit") else {}
        given |= {"init_weights": False} if name in {"googlenet", "inception_v3"} else {}
        if models.get_model_weights(name).DEFAULT.meta["num_params"] > MOST["torchvision"]:
            continue

        def make(name: str = name, given: dict[str, Any] = given) -> torch.nn.Module:
            made: torch.nn.Module = models.get_model(name, weights=None, **given)
            return made

        yield name, make, torch.randn(2, 3, size, size)


def _size(module: torch.nn.Module) -> int:
    """Return the number of parameters."""
    return sum(one.numel() for one in module.parameters())


def transformers(_: argparse.Namespace) -> Iterator[Case]:
    """Yield small networks of transformers."""
    library: Any = importlib.import_module("transformers")
    words = {"vocab_size": 100}
    plain = {"hidden_size": 64, "num_hidden_layers": 2, "num_attention_heads": 4}
    plain |= {"intermediate_size": 128}
    gpt2 = {"n_embd": 64, "n_layer": 2, "n_head": 4, "use_cache": False}
    t5 = {"d_model": 64, "d_kv": 16, "d_ff": 128, "num_layers": 2, "num_heads": 4}
    decoder = {**words, **plain, "num_key_value_heads": 2, "use_cache": False}
    tokens = {"input_ids": torch.randint(0, 90, (2, 12))}
    picture = {"pixel_values": torch.randn(2, 3, 64, 64)}
    patches = {**plain, "image_size": 64, "patch_size": 16}
    both = {**tokens, "decoder_input_ids": tokens["input_ids"]}
    cases: list[tuple[str, str, dict[str, Any], dict[str, torch.Tensor]]] = [
        ("BertModel", "BertConfig", words | plain, tokens),
        ("BertForSequenceClassification", "BertConfig", words | plain, tokens),
        ("RobertaModel", "RobertaConfig", words | plain, tokens),
        ("DistilBertModel", "DistilBertConfig", {**words, "dim": 64, "n_heads": 4}, tokens),
        ("GPT2Model", "GPT2Config", words | gpt2, tokens),
        ("GPT2LMHeadModel", "GPT2Config", words | gpt2, tokens),
        ("LlamaForCausalLM", "LlamaConfig", decoder, tokens),
        ("MistralModel", "MistralConfig", decoder, tokens),
        ("T5EncoderModel", "T5Config", words | t5, tokens),
        ("T5Model", "T5Config", {**words, **t5, "use_cache": False}, both),
        ("ViTModel", "ViTConfig", patches, picture),
        ("ViTForImageClassification", "ViTConfig", patches, picture),
        ("ConvNextModel", "ConvNextConfig", {"depths": [1, 1, 2, 1]}, picture),
        ("ResNetModel", "ResNetConfig", {"depths": [1, 1, 2, 1]}, picture),
    ]
    for name, config, given, x in cases:
        made = getattr(library, config)(**given)
        yield name, partial(getattr(library, name), made), x


def timm(options: argparse.Namespace) -> Iterator[Case]:
    """Yield twenty networks of timm, drawn by chance from those of at most `MOST` parameters."""
    library: Any = importlib.import_module("timm")
    names = library.list_models()
    random.Random(options.seed).shuffle(names)  # noqa: S311  which ones is no secret
    left = options.count
    for name in names:
        with torch.device("meta"):
            sketch = library.create_model(name, pretrained=False)
        if _size(sketch) > MOST["timm"]:
            continue
        shape = (sketch.pretrained_cfg or {}).get("input_size", (3, 224, 224))
        yield (
            name,
            lambda name=name: library.create_model(name, pretrained=False),
            torch.randn(2, *shape),
        )
        left -= 1
        if not left:
            return


GROUPS = {"hand": hand, "torchvision": torchvision, "transformers": transformers, "timm": timm}


def main() -> None:
    """Print the table of a group, and how many networks are exact."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("group", choices=GROUPS)
    parser.add_argument("--seed", type=int, default=2026)
    parser.add_argument("--count", type=int, default=20)
    parser.add_argument("--only", nargs="*", default=[], help="names of networks")
    parser.add_argument("--folder", type=Path, help="where the configs are written")
    options = parser.parse_args()
    print("| network | difference | lines | by hand | gaps | seconds |")
    print("|---|---|---|---|---|---|")
    exact = number = 0
    for name, make, x in GROUPS[options.group](options):
        if options.only and name not in options.only:
            continue
        number += 1
        exact += _line(name, make, x, options.folder)
    print(f"\n{exact} of {number} are exact.")


def _line(name: str, make: Callable[[], torch.nn.Module], x: Any, folder: Path | None) -> bool:
    """Print the line of a network; whether it is exact."""
    start = time.perf_counter()
    torch.manual_seed(0)
    written = WRITTEN / f"{name}.yaml"
    ours = len(written.read_text(encoding="utf-8").splitlines()) if written.exists() else "–"
    try:
        found = imported(make(), x)
    except ImportedError as error:
        print(f"| {name} | refused: {error} | – | {ours} | – | – |", flush=True)
        return False
    if folder is not None:
        (folder / f"{name}.yaml").write_text(found.text, encoding="utf-8")
    difference = "–" if found.difference is None else f"{found.difference:.1g}"
    gaps = f"{len(found.gaps)}: {found.gaps[0][:90]}" if found.gaps else "0"
    seconds = time.perf_counter() - start
    lines = len(found.text.splitlines())
    print(f"| {name} | {difference} | {lines} | {ours} | {gaps} | {seconds:.0f} |", flush=True)
    return not found.gaps and found.difference == 0


if __name__ == "__main__":
    main()
