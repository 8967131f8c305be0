"""Stacks, wires and gaps of a config that writes each layer out."""

from __future__ import annotations

from typing import Any

import pytest

from netbuild.builder.module import module as build
from netbuild.components.tensor import Tensor
from netbuild.exchange.importer.folding.folding import config_of, config_text, plain_text
from netbuild.exchange.importer.network import Network, Node, Stack
from netbuild.graph.value import OUTPUT, Value
from tests.exchange.importer.networks import graph_of

X = Tensor((4,))


def node(path: str, type_: str, *reads: str, **more: Any) -> Node:
    """Return a node that reads the first results of others; `x` is the network's input."""
    arguments = more.pop("arguments", {"out_features": 4} if type_ == "Linear" else {})
    wires = tuple(("input", Value("", "x") if r == "x" else Value(r, OUTPUT)) for r in reads)
    return Node(path, type_, arguments, wires, **more)


def network(*nodes: Node, output: str | None = None, **more: Any) -> Network:
    """Return a network with one input."""
    last = Value(output or nodes[-1].path, OUTPUT)
    return Network("Net", {"x": X}, nodes, {OUTPUT: last}, **more)


def layers(text: str) -> str:
    """Return the lines behind `layers:`."""
    return text.partition("layers:\n")[2]


def names(text: str) -> list[str]:
    """Return the names in `state_dict()` of a config without faults."""
    graph = graph_of(text)
    assert graph.block is not None, [d.label for d in graph.diagnostics]
    build(graph)
    return list(graph.tensors)


def test_a_wire_is_written_where_it_is_needed() -> None:
    """The member before is read without a word, also by the first one of a stack."""
    text = plain_text(
        network(
            node("body.0", "Linear", "x"),
            node("body.1", "ReLU", "body.0"),
            node("add", "Add", "body.1", "x"),
            node("head", "Linear", "add"),
        )
    )
    assert layers(text) == (
        "  body: [Linear: 4, ReLU]\n  add: {Add, inputs: [body, input]}\n  head: {Linear: 4}\n"
    )


def test_stacks_with_several_inputs_and_results() -> None:
    """What a stack reads and gives has names, those of its `forward` where they are known."""
    stacks = {
        "mix": Stack("mix", "Mix", None, {"skip": Value("", "x"), "mask": Value("a", OUTPUT)})
    }
    text = plain_text(
        network(
            node("a", "Linear", "x"),
            node("mix.b", "Linear", "x"),
            node("mix.c", "Add", "mix.b", "a"),
            node("tail", "Add", "mix.c", "mix.b"),
            stacks=stacks,
        )
    )
    assert layers(text) == (
        "  a: {Linear: 4}\n"
        "  mix:\n"
        "    inputs: {skip: input, mask: a}\n"
        "    outputs: [c, b]\n"
        "    layers:\n"
        "      b: {Linear: 4, inputs: skip}\n"
        "      c: {Add, inputs: [b, mask]}\n"
        "  tail: {Add, inputs: [mix.c, mix.b]}\n"
    )
    assert names(text) == ["a.weight", "a.bias", "mix.b.weight", "mix.b.bias"]


def test_what_runs_between_the_layers_of_a_list_moves_into_it() -> None:
    """A ModuleList whose layers are called with an activation in between is one stack."""
    text = config_text(
        network(
            node("convs.0", "Linear", "x"),
            node("relu", "ReLU", "convs.0"),
            node("convs.1", "Linear", "relu"),
            node("relu_1", "ReLU", "convs.1", reuses="relu"),
        )
    )
    assert layers(text) == (
        '  convs:\n    "0": {Linear: 4}\n    relu: ReLU\n    "1": {Linear: 4}\n  relu_1: ReLU\n'
    )
    assert names(text) == ["convs.0.weight", "convs.0.bias", "convs.1.weight", "convs.1.bias"]


def test_lists_that_run_in_turn_are_dissolved() -> None:
    """Two lists whose layers alternate are no stacks, and a comment and a gap say so."""
    made = config_of(
        network(
            node("convs.0", "Linear", "x"),
            node("norms.0", "LayerNorm", "convs.0"),
            node("convs.1", "Linear", "norms.0"),
            node("norms.1", "LayerNorm", "convs.1"),
        )
    )
    reason = (
        "its layers stand here by themselves and are called {}_…, because others run between them"
    )
    assert set(made.gaps) == {
        f"convs: {reason.format('convs')}",
        f"norms: {reason.format('norms')}",
    }
    assert names(made.text)[::2] == [
        "convs_0.weight",
        "norms_0.weight",
        "convs_1.weight",
        "norms_1.weight",
    ]


def test_a_gap_stands_at_its_place() -> None:
    """What no config can hold is a comment with its path, and its input goes on."""
    made = config_of(
        network(
            node("a", "Linear", "x"),
            node("odd", "Strange", "a", gap="nothing computes it"),
            node("b", "Linear", "odd"),
        )
    )
    assert layers(made.text) == (
        "  a: {Linear: 4}\n  # gap: odd: Strange: nothing computes it\n  b: {Linear: 4}\n"
    )
    assert made.gaps == ("odd: Strange: nothing computes it",)
    assert names(made.text) == ["a.weight", "a.bias", "b.weight", "b.bias"]


def test_a_long_gap_is_one_gap() -> None:
    """The reason of a gap may take several lines."""
    reason = " ".join(["it is a very long reason"] * 8)
    made = config_of(network(node("a", "Linear", "x"), node("odd", "Strange", "a", gap=reason)))
    assert made.gaps == (f"odd: Strange: {reason}",)
    assert max(map(len, made.text.splitlines())) <= 100


def test_a_module_that_runs_again_is_reused() -> None:
    """A layer and a stack that run again are called by `Reuse`."""
    text = config_text(
        network(
            node("encoder.0", "Linear", "x"),
            node("encoder.1", "ReLU", "encoder.0"),
            node("encoder_1.0", "Linear", "encoder.1", reuses="encoder.0"),
            node("encoder_1.1", "ReLU", "encoder_1.0", reuses="encoder.1"),
            node("add", "Add", "encoder.1", "encoder_1.1"),
            node("head", "Linear", "add"),
            node("head_1", "Linear", "head", reuses="head"),
            stacks={
                "encoder": Stack("encoder", "Encoder"),
                "encoder_1": Stack("encoder_1", "Encoder", "encoder"),
            },
        )
    )
    assert layers(text) == (
        "  encoder: [Linear: 4, ReLU]\n"
        "  encoder_1: {Reuse: encoder}\n"
        "  add: {Add, inputs: [encoder, encoder_1]}\n"
        "  head: {Linear: 4}\n"
        "  head_1: {Reuse: head}\n"
    )
    assert names(text) == ["encoder.0.weight", "encoder.0.bias", "head.weight", "head.bias"]


def test_a_module_of_another_stack_is_tied() -> None:
    """A layer that runs again in another stack shares its weights by `tie`."""
    text = config_text(
        network(
            node("a.fc", "Linear", "x"),
            node("a.act", "ReLU", "a.fc"),
            node("b.fc", "Linear", "a.act", reuses="a.fc"),
            node("b.act", "ReLU", "b.fc", reuses="a.act"),
        )
    )
    assert "fc: {Linear: 4, tie: {weight: a.fc.weight, bias: a.fc.bias}}" in text
    assert graph_of(text).params == 20


@pytest.mark.parametrize(
    ("name", "called"), [("_stem", "stem"), ("type", "type_"), ("half", "half_")]
)
def test_names_that_no_config_has(name: str, called: str) -> None:
    """Another name is taken, and it is a gap."""
    made = config_of(network(node(name, "Linear", "x")))
    assert made.gaps == (f"{name}: it is called {called} here: no config has this name",)
    assert names(made.text) == [f"{called}.weight", f"{called}.bias"]


def test_capitalised_names_and_modifiers_as_names() -> None:
    """Names such as `LayerNorm` and `layers` stand as torch has them."""
    text = config_text(
        network(
            node("out.dense", "Linear", "x"),
            node("out.LayerNorm", "LayerNorm", "out.dense"),
            node("layers.0", "Linear", "out.LayerNorm"),
            node("layers.1", "ReLU", "layers.0"),
        )
    )
    assert names(text) == [
        "out.dense.weight",
        "out.dense.bias",
        "out.LayerNorm.weight",
        "out.LayerNorm.bias",
        "layers.0.weight",
        "layers.0.bias",
    ]


def test_inputs_keep_their_names_and_dtypes() -> None:
    """Several inputs, whole numbers, and outputs by name."""
    nodes = (
        Node(
            "embed",
            "Embedding",
            {"num_embeddings": 9, "embedding_dim": 4},
            (("input", Value("", "ids")),),
        ),
        Node("add", "Add", {}, (("input", Value("embed", OUTPUT)), ("input", Value("", "more")))),
    )
    inputs = {"ids": Tensor((5,), "int64"), "more": Tensor((5, 4))}
    outputs = {"sum": Value("add", OUTPUT), "embedded": Value("embed", OUTPUT)}
    assert config_text(Network("My.Net", inputs, nodes, outputs)) == (
        "name: my-net\n"
        "inputs: {ids: {shape: [5], dtype: int64}, more: [5, 4]}\n"
        "layers:\n"
        "  embed: {Embedding: {num_embeddings: 9, embedding_dim: 4}, inputs: ids}\n"
        "  add: {Add, inputs: [embed, more]}\n"
        "outputs: {sum: add, embedded: embed}\n"
    )
