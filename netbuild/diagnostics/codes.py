"""The table of codes: what `netbuild` can find in a file, and the only place of the titles.

Each code has a page in `rules/`, which names the functions that give it.
"""

from __future__ import annotations

from typing import Literal

#: The title of each code. The first digit is its group.
CODES = {
    # The text and its YAML.
    "NB001": "the file is not UTF-8 text",
    "NB002": "the YAML cannot be parsed",
    "NB003": "a mapping has the same key twice",
    "NB004": "a YAML tag",
    "NB005": "more than one YAML document, or none",
    "NB006": "a YAML merge key",
    "NB007": "the file is larger or deeper than any network needs",
    "NB008": "a number that YAML versions read differently, or that is too large",
    "NB009": "a key and a value without a colon and a space between them",
    "NB010": "a key that is not a plain word",
    "NB011": "an alias without its anchor",
    # Fields and sections.
    "NB101": "an unknown section",
    "NB102": "a missing section",
    "NB103": "an unknown type",
    "NB104": "an unknown field",
    "NB105": "a missing field",
    "NB106": "a value that a field does not take",
    "NB107": "an argument next to its item, or a modifier inside it",
    "NB108": "an item in the wrong form",
    "NB109": "a name that is invalid or already taken",
    "NB110": "an expression that cannot be evaluated",
    "NB111": "another file that cannot be read: a base, or the file of a block",
    "NB112": "a --set path that the file does not have",
    # Graph and shapes.
    "NB201": "an input of the wrong rank",
    "NB202": "a size that contradicts the input",
    "NB203": "channels that do not divide into groups",
    "NB204": "a window that does not fit its input",
    "NB205": "an axis that does not exist, or the batch axis",
    "NB206": "sizes whose product is not the size of the input",
    "NB207": "an input of the wrong dtype",
    "NB208": "the wrong number of inputs for a layer",
    "NB209": "more layers or values than any network needs",
    "NB210": "a normalisation of a single value",
    "NB211": "a layer that overwrites a tensor that the backward pass needs",
    "NB212": "inputs whose shapes do not match",
    "NB213": "a reference to a name that does not exist",
    "NB214": "a block that contains itself",
    "NB215": "a module reused with inputs of other sizes",
    "NB216": "layers that read each other in a circle",
    "NB217": "a formula that cannot be read or computed",
    "NB218": "random numbers for a value that all samples share",
    "NB219": "a parameter that cannot be tied",
    "NB220": "a parametrization that does not fit its parameter",
    "NB221": "a checkpoint that torch cannot compile",
    # Architecture: warnings.
    "NB301": "layers that collapse into one",
    "NB302": "a result that no layer reads",
    "NB303": "an input that no layer reads",
    "NB304": "a softmax or sigmoid that the loss applies again",
    "NB305": "scores for a loss that takes probabilities",
    "NB306": "more outputs than the data has classes",
    "NB307": "a bias that a normalisation removes",
    "NB308": "a dropout in a harmful place",
    "NB309": "a dropout that does not suit the activation",
    "NB310": "a batch norm with too few values",
    "NB311": "border rows that no window reads",
    "NB312": "a stride that is larger than its window",
    "NB313": "a receptive field that is smaller than the objects",
    "NB314": "a transposed convolution that causes a checkerboard",
    "NB315": "a deep stack of saturating activations",
    "NB316": "frozen weights that nothing has trained",
    "NB317": "a scheduler that has no effect, ends too early or misreads the loss",
    "NB318": "an ignore comment that silences nothing",
    "NB319": "places of the target along another axis than in the output",
    "NB320": "a softmax, norm or attention over a single value",
    "NB321": "a Linear layer over a spatial axis",
    "NB322": "a softmax over another axis than the classes",
    "NB323": "scores that cannot take all values",
    "NB324": "a variance or a rate that can be negative",
    "NB325": "weights of columns that look like weights of channels",
    "NB326": "an input whose last axis looks like the channels",
    "NB327": "a variable that nothing reads",
    "NB330": "a formula that a layer stands for",
    "NB331": "a loss that compares a value with itself",
    # Training sections.
    "NB328": "a mask that hides the wrong places",
    "NB329": "a mean, a maximum or a norm over padded places",
    "NB332": "a metric that is the accuracy by another name",
    "NB401": "a loss that does not fit the network or the data",
    "NB402": "a network without weights to train",
    "NB403": "a scheduler that does not fit the optimizer or the training",
    "NB404": "an initializer that does not fit a tensor",
    "NB405": "an initializer or a rule that applies to nothing",
    "NB406": "an optimizer that does not accept the network's weights",
    "NB407": "a network that exceeds its budget",
    "NB408": "an optimizer or a parameter group without weights",
    "NB409": "a metric that does not fit the loss",
    "NB410": "a network that sees what it has to tell",
    "NB411": "an index that an Embedding does not have",
    "NB412": "a component or a field that the installed torch does not have",
    "NB413": "a loss without a target with which it can be compared",
    "NB414": "two losses of one name",
    "NB416": "two metrics of one name",
    "NB417": "an argument of a metric that the loss decides",
    # Data and files.
    "NB501": "data that does not fit the network or the loss",
    "NB502": "a file of weights that cannot be read",
    "NB503": "weights that do not fit the network",
    "NB504": "an augmentation that moves the image but not its target",
}


def severity(code: str) -> Literal["error", "warning"]:
    """Return the severity of a code: NB3xx are warnings, all others are errors."""
    return "warning" if code.startswith("NB3") else "error"
