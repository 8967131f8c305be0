"""Tables as data: their columns become inputs and targets, and what they told is kept."""

from collections.abc import Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, ClassVar, NamedTuple, TypeAlias

from pydantic import PrivateAttr, field_validator

from netbuild.components.datasets.column import PARTS, Column
from netbuild.components.datasets.conversion import (
    ignored,
    input_of,
    numbered,
    target_of,
    target_values,
)
from netbuild.components.datasets.dataset import (
    Bounds,
    DataError,
    Dataset,
    Declared,
    Loaded,
    Sample,
)
from netbuild.components.datasets.feature import (
    MEASURED,
    Feature,
    bounds_of_all,
    feature_of,
    input_array,
    lacking,
    measured,
)
from netbuild.components.datasets.fields import (
    ColumnNames,
    Group,
    Missing,
    Tokens,
    by_name,
    count_of,
    flat,
    grouped,
    is_vector,
)
from netbuild.components.datasets.kept import Kept, filled_input, fits, read_kept
from netbuild.components.datasets.text_table import Dialect
from netbuild.components.datasets.token_column import (
    LENGTH,
    LengthFeature,
    TokenFeature,
    seen,
    token_feature,
)
from netbuild.components.target import Target, Values
from netbuild.components.tensor import Tensor

if TYPE_CHECKING:
    import numpy as np
    from typing_extensions import Self

#: The most columns in a message.
LISTED = 100


#: What an input reads of a row.
AnyFeature: TypeAlias = Feature | TokenFeature | LengthFeature


class Plan(NamedTuple):
    """How the columns of a table become samples.

    `groups` are the columns of each input, and `features` the same as features. `targets` has the
    column of each target. `rows` are the rows that are read; None for all.
    """

    groups: tuple[Group, ...]
    features: tuple[tuple[AnyFeature, ...], ...]
    targets: Mapping[str, Column]
    rows: Sequence[int] | None


class TableSource(Dataset):
    """A source whose samples are the rows of a table."""

    last: ClassVar[str] = "missing categories"

    missing: Missing = None
    """What stands for a missing value, by column: mean, median, unknown, a number, or drop."""
    categories: ColumnNames = ()
    """Columns of numbers that are categories, as columns of text are."""

    _kept: Kept | None = PrivateAttr(None)

    @field_validator("inputs", check_fields=False)
    @classmethod
    def _tokens_of(cls, inputs: Any) -> Any:
        for name, group in inputs.items() if isinstance(inputs, Mapping) else ():
            if isinstance(group, Mapping):
                Tokens.read(group, name)
        return inputs

    @property
    def tokens(self) -> tuple[Tokens, ...]:
        """The columns that are read as tokens."""
        inputs: Any = getattr(self, "inputs", None)
        groups = grouped(inputs, (), 0) if isinstance(inputs, Mapping) else ()
        return tuple(group for group in groups if isinstance(group, Tokens))

    def plan(
        self, columns: Mapping[str, Column], wanted: Sample, told: Mapping[str, str] | None = None
    ) -> Plan:
        """Return how the columns of a table become the samples that a network wants.

        `told` has the column of each target, if the field does not name it.

        Raises:
            DataError: a column cannot be what it shall be.
        """
        groups = self.groups_of(columns, len(wanted.inputs))
        told = by_name(getattr(self, "target", None)) if told is None else told
        targets = {name: columns[column] for name, column in told.items()}
        features = tuple(
            tuple(self._feature(name, columns, group, tensor) for name in flat((group,)))
            for group, tensor in zip(groups, wanted.inputs, strict=False)
        )
        for feature in (feature for of_input in features for feature in of_input):
            feature.check()
        for target, column in targets.items():
            self._check_target(column, wanted.targets[target])
        names = (*flat(groups), *told.values())
        return Plan(groups, features, targets, self.rows_left(columns, names))

    def groups_of(self, names: Iterable[str], read: int) -> tuple[Group, ...]:
        """Return the columns of each input of a network that reads so many."""
        inputs: Any = getattr(self, "inputs", None)
        if self._kept is not None and not isinstance(inputs, Mapping):
            return self._kept.inputs
        return grouped(inputs, flat(inputs) or self.others(names), read)

    def _feature(
        self, name: str, columns: Mapping[str, Column], group: Group, wanted: Tensor
    ) -> AnyFeature:
        vocabularies = self._kept.tokens if self._kept else {}
        rule = self.rule(name)
        if found := token_feature(name, columns, self.tokens, group, rule, vocabularies):
            return found
        return feature_of(
            name,
            columns,
            own=not is_vector(group),
            wanted=wanted,
            chosen=self.categories,
            known=self._kept.categories if self._kept else {},
            rule=rule,
        )

    def rows_left(
        self, columns: Mapping[str, Column], names: Iterable[str]
    ) -> Sequence[int] | None:
        """Return the rows that `missing: drop` leaves; None for all. `names` are what is read.

        Raises:
            DataError: no row is left.
        """
        left_out: set[int] = set()
        count = 0
        for name in names:
            base = name if name in columns else name.rpartition(".")[0]
            if base in columns and self.rule(name) == "drop":
                count = len(columns[base].cells)
                left_out.update(columns[base].gaps)
        if not left_out:
            return None
        if len(left_out) == count:
            raise DataError("every row lacks a value that it must have", "missing")
        return [row for row in range(count) if row not in left_out]

    def rule(self, name: str) -> str | float | None:
        """Return what stands for a missing value of a column, or of a part of its dates."""
        if self.missing is None or isinstance(self.missing, str):
            return self.missing
        found = self.missing.get(name, self.missing.get(name.rpartition(".")[0]))
        return float(found) if isinstance(found, int | float) else found

    def _check_target(self, column: Column, wanted: Target) -> None:
        """Refuse missing values of a target, and texts among its numbers.

        Raises:
            DataError: names the row.
        """
        rule = self.rule(column.name)
        if rule not in {None, "drop"}:
            message = f"{column.name} is a target, and a row without it can only be dropped"
            raise DataError(message, "missing", f"write missing: {{{column.name}: drop}}")
        if column.gaps and rule is None:
            raise lacking(column.name, column, f"missing: {{{column.name}: drop}}")
        if column.wrong and isinstance(wanted, Values):
            raise column.not_numbers(column.wrong)

    def others(self, names: Iterable[str]) -> tuple[str, ...]:
        """Return the named columns that are no target."""
        told = by_name(getattr(self, "target", None)).values()
        return tuple(name for name in names if name and name not in told)

    def column_of(self, name: str, columns: Iterable[str]) -> str:
        """Return the column that a name means: a part of a date is in the column of the date."""
        return name.rpartition(".")[0] if self.is_part(name, columns) else name

    def is_part(self, name: str, columns: Iterable[str]) -> bool:
        """Whether a name is that of a part of a column of dates, or of tokens."""
        base, _, part = name.rpartition(".")
        has_length = part == LENGTH and any(base == one.column for one in self.tokens)
        return (part in PARTS or has_length) and base in columns and name not in columns

    def bounds_of(
        self, columns: Mapping[str, Column] | None, inputs: tuple[Tensor, ...]
    ) -> tuple[Bounds | None, ...]:
        """Return the smallest and the largest number of each input; None for fractions."""
        if columns is None:
            return (None,) * len(inputs)
        features = self._there(columns, inputs)
        return tuple(bounds_of_all([feature.bounds for feature in some]) for some in features)

    def counts_of(
        self, columns: Mapping[str, Column] | None, inputs: tuple[Tensor, ...]
    ) -> tuple[tuple[str, int] | None, ...]:
        """Return the column of each input that is one of categories, and their number."""
        if columns is None:
            return (None,) * len(inputs)
        first = (some[0] if some else None for some in self._there(columns, inputs))
        return tuple(
            None if one is None or one.categories is None else (one.name, len(one.categories))
            for one in first
        )

    def _there(
        self, columns: Mapping[str, Column], inputs: tuple[Tensor, ...]
    ) -> list[list[AnyFeature]]:
        """Return the features of each input whose columns exist."""
        found = []
        for group, wanted in zip(self.groups_of(columns, len(inputs)), inputs, strict=False):
            names = [n for n in flat((group,)) if n in columns or self.is_part(n, columns)]
            found.append([self._feature(name, columns, group, wanted) for name in names])
        return found

    def widths(self, names: Iterable[str], wanted: Sample) -> tuple[Tensor, ...]:
        """Return the inputs of a table of which only the names of the columns are known."""
        groups = self.groups_of(names, len(wanted.inputs))
        pairs = zip(groups, wanted.inputs, strict=False)
        return tuple(Tensor((len(flat((g,))),), x.dtype) if is_vector(g) else x for g, x in pairs)

    def declared(self, plan: Plan, wanted: Sample) -> Declared:
        """Return the description of the samples."""
        inputs = tuple(
            _described(features, x, own=not is_vector(group))
            for group, features, x in zip(plan.groups, plan.features, wanted.inputs, strict=False)
        )
        told = {n: self._told(n, column, wanted.targets[n]) for n, column in plan.targets.items()}
        return Declared(inputs, told)

    def _told(self, name: str, column: Column, wanted: Target) -> Target | None:
        """Return the description of a target."""
        labels = self.labels(name, column, wanted)
        classes = self.class_count(name, column) if labels is None else len(labels)
        return target_of(Tensor((), column.dtype if labels is None else "int64"), wanted, classes)

    def class_count(self, name: str, column: Column) -> int | None:
        """Return the number of classes of a target whose numbers are used directly, if known."""
        return count_of(getattr(self, "classes", None), name)

    def labels(self, name: str, column: Column, wanted: Target) -> Sequence[Any] | None:
        """Return the names of the classes; None if the target's numbers are used directly."""
        if self._kept and name in self._kept.classes:
            return self._kept.classes[name]
        numbers = target_of(Tensor((), column.dtype), wanted, None) is not None
        if column.dtype != "string" and (numbers or self.class_count(name, column) is not None):
            return None
        return column.classes(ignored(wanted))

    def rows_of(self, plan: Plan, wanted: Sample) -> Loaded:
        """Return the samples of a table.

        Raises:
            DataError: a value cannot be what it shall be.
        """
        inputs = tuple(
            input_array(features, x, plan.rows, own=not is_vector(group))
            for group, features, x in zip(plan.groups, plan.features, wanted.inputs, strict=True)
        )
        targets = (self._target(n, column, plan, wanted) for n, column in plan.targets.items())
        return inputs, tuple(targets)

    def _target(
        self, name: str, column: Column, plan: Plan, wanted: Sample
    ) -> "np.ndarray[Any, Any]":
        rows, target = plan.rows, wanted.targets[name]

        def place(row: int) -> str:
            return f"in {column.place(row if rows is None else rows[row])}"

        labels = self.labels(name, column, target)
        if labels is None:
            array = column.numbers() if rows is None else column.chosen(rows).numbers()
        else:
            values = column.read() if rows is None else column.chosen(rows).read()
            array = numbered(values, labels, ignored(target), column.name, place)
        counted = self.class_count(name, column) if labels is None else len(labels)
        return target_values(array, target, counted, column.name, place)

    def unseen_of(self, plan: Plan) -> dict[str, int]:
        """Return how many values of each column are categories that training has not seen."""
        found: dict[str, int] = {}
        for feature in (feature for of_input in plan.features for feature in of_input):
            if isinstance(feature, TokenFeature) or feature.categories is None:
                continue
            count = int((feature.values(plan.rows) == 0).sum())
            rows = range(len(feature.column.cells)) if plan.rows is None else plan.rows
            gaps = {*feature.gaps}
            count -= sum(row in gaps for row in rows) if gaps else 0
            found |= {feature.name: count} if count else {}
        return found

    def learned(self, plan: Plan, wanted: Sample, training: Loaded) -> Kept:
        """Return what the training samples tell of a table."""
        import numpy as np

        present: dict[str, Sequence[Any]] = {}
        missing: dict[str, float] = {}
        tokens: dict[str, Sequence[str | None]] = {}
        for features, array in zip(plan.features, training[0], strict=True):
            for number, feature in enumerate(features):
                if isinstance(feature, TokenFeature):
                    tokens[feature.tokens.key] = seen(feature, array)
                    continue
                values = array.reshape(-1, len(features))[:, number]
                if feature.categories is not None:
                    there = {*np.unique(values).tolist()}
                    known = enumerate(feature.categories, 1)
                    present[feature.name] = [v if code in there else None for code, v in known]
                elif feature.rule in MEASURED:
                    missing[feature.name] = measured(feature.name, feature.rule, values)
        return Kept(plan.groups, present, missing, self._classes(plan, wanted), tokens)

    def first_seen(self, plan: Plan, wanted: Sample) -> Kept:
        """Return what the training samples tell of another split."""
        read = [feature for of_input in plan.features for feature in of_input]
        categories = {f.name: f.categories for f in read if f.categories is not None}
        tokens = {f.tokens.key: f.vocabulary for f in read if isinstance(f, TokenFeature)}
        return Kept(plan.groups, categories, {}, self._classes(plan, wanted), tokens)

    def _classes(self, plan: Plan, wanted: Sample) -> dict[str, Sequence[Any]]:
        pairs = plan.targets.items()
        told = ((name, self.labels(name, column, wanted.targets[name])) for name, column in pairs)
        return {name: labels for name, labels in told if labels is not None}

    def kept(self) -> dict[str, Any] | None:
        return None if self._kept is None else self._kept.as_json()

    def with_kept(self, kept: Mapping[str, Any]) -> Dataset:
        return self.knowing(read_kept(kept))

    def knowing(self, kept: Kept) -> "Self":
        """Return the source with what it has told before."""
        copy = self.model_copy()
        copy._kept = kept  # noqa: SLF001  a copy of this source
        return copy

    @property
    def dialect(self) -> Dialect:
        """How tables of text are written that belong to this source."""
        return Dialect()

    @property
    def known(self) -> Kept | None:
        """What the source has told before."""
        return self._kept

    @property
    def leaves_gaps(self) -> bool:
        return isinstance(self.missing, Mapping) and not MEASURED.isdisjoint(self.missing.values())

    def filled(self, wanted: Sample, loaded: Loaded) -> Loaded:
        if self._kept is None:
            return loaded
        if not all(map(fits, loaded[0], self._kept.inputs)):
            raise DataError("what the run has kept of its table was changed")
        arrays = [
            filled_input(array, group, self._kept)
            for array, group in zip(loaded[0], self._kept.inputs, strict=True)
        ]
        return tuple(arrays), loaded[1]


def _described(features: Sequence[AnyFeature], wanted: Tensor, *, own: bool) -> Tensor:
    """Return an input of one feature, or of several side by side."""
    if own and isinstance(features[0], TokenFeature):
        return Tensor(features[0].shape, "int64" if wanted.floating else wanted.dtype)
    floats = any(feature.dtype == "float64" for feature in features)
    read = input_of(Tensor((), "float64" if floats else "int64"), wanted)
    return read if own else Tensor((len(features),), read.dtype)
