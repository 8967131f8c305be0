"""The codes of all faults and warnings."""

from __future__ import annotations

from typing import Literal

#: What each code means, in one line. The first digit is the group.
CODES = {
    # The text and its YAML.
    "NB001": "the file is not UTF-8 text",
    "NB002": "the YAML cannot be parsed",
    "NB003": "a key stands twice in one mapping",
    "NB004": "a YAML tag",
    "NB005": "more than one YAML document, or none",
    "NB006": "a YAML merge key",
    "NB007": "the file is larger or deeper than any network needs",
    "NB008": "a number that YAML versions read differently, or that is too large",
    "NB009": "no space after a colon",
    "NB010": "a key that is no plain word",
    "NB011": "an alias without its anchor",
    # Fields and sections.
    "NB101": "an unknown section",
    "NB102": "a missing section",
    "NB103": "an unknown type",
    "NB104": "an unknown field",
    "NB105": "a missing field",
    "NB106": "a value that a field does not take",
    "NB107": "an argument beside its item instead of inside, or a modifier inside",
    "NB108": "an item that is not written as one",
    "NB109": "a name that cannot be had, or is taken",
    "NB110": "an expression that cannot be evaluated",
    "NB111": "a base file that cannot be extended",
    "NB112": "a --set path that the file does not have",
    # Graph and shapes.
    "NB201": "an input of the wrong rank",
    "NB202": "a size that contradicts the input",
    "NB203": "channels that do not divide into groups",
    "NB204": "a window that does not fit its input",
    "NB205": "an axis that does not exist, or that is the batch",
    "NB206": "sizes that do not multiply to the input's",
    "NB207": "an input of the wrong dtype",
    "NB208": "another number of inputs than the layer reads",
    "NB209": "more than any network needs",
    "NB210": "one value per channel, where a normalisation needs several",
    "NB211": "a layer that overwrites what an earlier one still needs",
    "NB212": "inputs whose shapes do not go together",
    "NB213": "a name that nothing in the stack has",
    "NB214": "a block within itself",
    "NB215": "a module that is called again with inputs of other sizes",
    "NB216": "layers that read one another in a circle",
    # Architecture: warnings.
    "NB301": "layers that collapse into one",
    "NB302": "a result that nobody reads",
    "NB303": "an input that nobody reads",
    "NB304": "scores that their loss squashes again",
    "NB305": "a loss of probabilities that gets scores",
    "NB306": "more outputs than the data has classes",
    "NB307": "a bias that a normalisation takes away",
    "NB308": "a dropout where it does harm",
    "NB309": "a dropout that does not go with the activation",
    "NB310": "a batch norm with too few values",
    "NB311": "border rows that a stride leaves out",
    "NB312": "a stride that is larger than its window",
    "NB313": "a receptive field that is smaller than the objects",
    "NB314": "a transposed convolution that draws a checkerboard",
    "NB315": "a deep stack of activations that saturate",
    "NB316": "weights that nothing trains",
    "NB317": "a scheduler that has no effect, or ends too early",
    "NB318": "an ignore comment that silences nothing",
    # Training sections.
    "NB401": "a loss that does not take what the network gives",
    "NB402": "a network without weights",
    "NB403": "a scheduler that does not go with the optimizer or the training",
    "NB404": "an initializer that does not fit a tensor",
    "NB405": "an initializer or a rule that is for nothing",
    "NB406": "an optimizer that does not take the network's weights",
    "NB407": "a network that exceeds its budget",
    "NB408": "a parameter group without weights",
    "NB409": "a metric that does not go with the loss",
    # Data and files.
    "NB501": "data that the network or the loss does not take",
    "NB502": "a file of weights that cannot be read",
    "NB503": "weights that do not fit the network",
}


def severity(code: str) -> Literal["error", "warning"]:
    """Return what a code is: NB3xx are matters of taste and of learning, warnings."""
    return "warning" if code.startswith("NB3") else "error"
