"""What Jina AI published of turbo and tiny, and the same quantities of what is measured."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any


@dataclass(frozen=True, kw_only=True, slots=True)
class Footprint:
    """What a model weighs and takes: bytes, and seconds for the workload.

    `file` is the stored weights; `loaded` is resident for model and tokenizer; `peak` is what
    scoring adds to it.
    """

    parameters: int
    file: int
    loaded: int
    peak: int
    seconds: float

    @property
    def scoring(self) -> int:
        """The resident bytes while scoring."""
        return self.loaded + self.peak


def speed(found: Footprint) -> float:
    """Return workloads per second."""
    return 1 / found.seconds


def parameters(found: Footprint) -> float:
    """Return the number of parameters."""
    return found.parameters


def file(found: Footprint) -> float:
    """Return the bytes of the stored weights."""
    return found.file


def loaded(found: Footprint) -> float:
    """Return the bytes of the loaded model."""
    return found.loaded


def scoring(found: Footprint) -> float:
    """Return the bytes while scoring."""
    return found.scoring


def times(ratio: float) -> str:
    """Write how many times one is the other."""
    return f"{ratio:.1f}x"


def share(ratio: float) -> str:
    """Write what part one is of the other."""
    return f"{100 * ratio:.1f} %"


def less(ratio: float) -> str:
    """Write by how much one is less than the other, or more."""
    percent = 100 * (1 - ratio)
    return f"{percent:.1f} % less" if percent >= 0 else f"{-percent:.1f} % more"


@dataclass(frozen=True, kw_only=True, slots=True)
class Claim:
    """A published statement on `model` against `other`, and how to measure it.

    `published` is Jina AI's own figure, never one of ours.
    """

    text: str
    published: str
    model: str
    other: str
    quantity: Callable[[Footprint], float]
    write: Callable[[float], str]

    def ratio(self, models: Mapping[str, Footprint]) -> float | None:
        """Return the quantity of the model over the other's; None if one was not measured."""
        if self.model not in models or self.other not in models:
            return None
        return self.quantity(models[self.model]) / self.quantity(models[self.other])

    def measured(self, models: Mapping[str, Footprint]) -> str | None:
        """Write the ratio as the claim is put; None if it was not measured."""
        ratio = self.ratio(models)
        return None if ratio is None else self.write(ratio)


def faster(model: str, published: str) -> Claim:
    """Return the claim on a model's speed."""
    return Claim(
        text=f"{model}'s speed, base = 1",
        published=published,
        model=model,
        other="base",
        quantity=speed,
        write=times,
    )


def smaller(quantity: Callable[[Footprint], float], name: str) -> Claim:
    """Return the claim on turbo's size."""
    return Claim(
        text=f"turbo's {name}, of base's",
        published="a quarter",
        model="turbo",
        other="base",
        quantity=quantity,
        write=share,
    )


def lighter(model: str, other: str, published: str) -> tuple[Claim, ...]:
    """Return the claim on memory, once for each thing it can mean."""
    meanings = {"file": file, "memory, loaded": loaded, "memory, scoring": scoring}
    return tuple(
        Claim(
            text=f"{model} against {other}: {name}",
            published=published,
            model=model,
            other=other,
            quantity=quantity,
            write=less,
        )
        for name, quantity in meanings.items()
    )


CLAIMS = (
    faster("turbo", "up to 3x"),
    faster("tiny", "about 5x"),
    smaller(parameters, "parameters"),
    smaller(file, "file"),
    *lighter("turbo", "base", "about 75 % less"),
    *lighter("tiny", "base", "about 75 % less"),
    *lighter("tiny", "turbo", "13 % less"),
)


def values(claim: Claim, measured: Mapping[str, Mapping[str, Footprint]]) -> dict[str, Any]:
    """Return a claim, its ratios, and how they are written, for JSON."""
    return {
        "claim": claim.text,
        "published": claim.published,
        "measured_ratio": {name: claim.ratio(models) for name, models in measured.items()},
        "measured": {name: claim.measured(models) for name, models in measured.items()},
    }
