"""What a distillation is made of: the TOML file, as dataclasses that check themselves."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Self

from jina_rerank.jina_bert.config import JinaBertConfig

from . import tables

STARTS = ("warm", "layers", "scratch")
QUERY = "query"
"""The key of the query in a line, unless a file says otherwise."""

QUERIES = ("title", "first", "span", "half")
STAGES = ("features", "ranking")
SIZES = ("hidden_size", "num_attention_heads", "intermediate_size")
DECAYS = ("linear", "cosine", "none")

TAUGHT = ("kl", "margin_mse", "mse", "absolute")
"""Losses of a stage that compare scores with those of teachers."""

LIVE = ("cosine", "maxsim")
"""Teachers that score while the student trains."""

LOSSES = (*TAUGHT, "contrastive", "bce")
"""Losses of scores."""

STATES = ("features", "probe")
"""Losses of the states below them."""

RATES = (
    "learning_rate",
    "hard",
    "minutes",
    "long_share",
    "warmup",
    "floor",
    "weight_decay",
    "layer_factor",
    "pooled",
)
"""Other numbers of a stage that cannot be below 0."""


def _at_least(lowest: float, **values: float | None) -> None:
    for name, value in values.items():
        if value is not None and not value >= lowest:
            msg = f"{name} must be at least {lowest:g}, got {value:g}"
            raise ValueError(msg)


def _one_of(allowed: tuple[str, ...], **values: str) -> None:
    for name, value in values.items():
        if value not in allowed:
            msg = f"{name} must be {', '.join(allowed[:-1])} or {allowed[-1]}, got {value!r}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class StudentPart:
    """The model to train: its shape, and what it starts as.

    Attributes:
        init: ``warm`` turns layers of a BERT encoder into layers of a JinaBERT, ``layers`` takes
            layers of a larger JinaBERT, ``scratch`` draws weights.
        source: The BERT encoder or the JinaBERT; for ``scratch``, whose tokenizer to use.
        layers: Which of the source's layers, from 0, in their order; for ``scratch``, leave it out.
        num_hidden_layers: Only for ``scratch``; else it is the number of `layers`.
        hidden_size: Only for ``scratch``; else it is the source's.
        num_attention_heads: Only for ``scratch``; else it is the source's.
        intermediate_size: None is the source's; for ``layers`` it has to be.
        vocabulary: Tokens to keep, the most frequent in the training text; None keeps all.
        sample: Texts that a warm start looks at.
    """

    init: str
    source: str
    layers: tuple[int, ...] = ()
    num_hidden_layers: int | None = None
    hidden_size: int | None = None
    num_attention_heads: int | None = None
    intermediate_size: int | None = None
    vocabulary: int | None = None
    sample: int = 512

    def __post_init__(self) -> None:
        _one_of(STARTS, init=self.init)
        own = ("num_hidden_layers", "hidden_size", "num_attention_heads")
        scratch = self.init == "scratch"
        for name in (*own, "intermediate_size") if scratch else own:
            if scratch != (getattr(self, name) is not None):
                told = "needs" if scratch else "takes from its source the"
                msg = f"init {self.init!r} {told} {name}"
                raise ValueError(msg)
        if scratch == bool(self.layers):
            msg = f"init {self.init!r} {'has no' if scratch else 'needs'} layers"
            raise ValueError(msg)
        _at_least(0, layers=min(self.layers, default=0))
        sizes = {name: getattr(self, name) for name in (*own, "intermediate_size", "vocabulary")}
        _at_least(1, sample=self.sample, **sizes)

    @property
    def depth(self) -> int:
        """How many layers it has."""
        return self.num_hidden_layers or len(self.layers)

    def config(self, vocabulary: int, source: object = None) -> JinaBertConfig:
        """Return the student's config.json.

        Args:
            vocabulary: Its tokens.
            source: The config of what it starts as, for the sizes that the recipe leaves to it.
        """
        own = {name: getattr(self, name) for name in SIZES}
        return JinaBertConfig(
            vocab_size=vocabulary,
            num_hidden_layers=self.depth,
            feed_forward_type="geglu",
            **{n: getattr(source, n) if size is None else size for n, size in own.items()},
        )


@dataclass(frozen=True, slots=True, kw_only=True)
class FilePart:
    """A file of training data.

    Attributes:
        path: JSON Lines, also compressed, relative to the data folder.
        weight: How often each of its queries comes in an epoch: 2 twice, 0.5 every second one.
        cap: Queries to use, drawn by the seed; None is all.
        licence: What the model card says of it.
        max_words: Words of a passage; None is that of `DataPart`.
        query: The key of the query in a line.
        title: Put the title before the passage.
        make: What queries are made of in a file of plain documents: ``title``, ``first`` for the
            first sentence, ``span`` for a sentence from within, ``half`` for the first half of its
            sentences. Empty for a file that has queries.
        text: The key of a document's text in a line, with `make`.
    """

    path: str
    weight: float = 1.0
    cap: int | None = None
    licence: str = "not stated"
    max_words: int | None = None
    query: str = QUERY
    title: bool = False
    make: tuple[str, ...] = ()
    text: str = "text"

    def __post_init__(self) -> None:
        _at_least(0, weight=self.weight)
        _at_least(1, cap=self.cap, max_words=self.max_words)
        for kind in self.make:
            _one_of(QUERIES, make=kind)


@dataclass(frozen=True, slots=True, kw_only=True)
class DataPart:
    """What is trained on.

    Attributes:
        files: The files.
        max_words: Words of a passage, cut around what matches the query best, a third of the
            positives anywhere; None cuts nothing.
        exclude: Test collections, folders relative to the data folder: pairs that share a query or
            a passage with one of them are dropped; see `guard`.
    """

    files: tuple[FilePart, ...]
    max_words: int | None = None
    exclude: tuple[str, ...] = ()

    def __post_init__(self) -> None:
        _at_least(1, files=len(self.files), max_words=self.max_words)


@dataclass(frozen=True, slots=True, kw_only=True)
class MiningPart:
    """Negatives of each query, from the passages of its own file.

    Attributes:
        bm25: How many that BM25 finds.
        dense: How many that an embedding model finds.
        random: How many at random.
        embedder: The embedding model.
        first: The best rank to take, from 0.
        last: The rank to stop before.
        false_negatives: Leave out what the embedding model scores above this share of what it
            gives the positive, as it may answer too; None keeps all.
    """

    bm25: int = 6
    dense: int = 6
    random: int = 6
    embedder: str = "all-MiniLM-L6-v2"
    first: int = 0
    last: int = 50
    false_negatives: float | None = None

    def __post_init__(self) -> None:
        _at_least(0, bm25=self.bm25, dense=self.dense, random=self.random, first=self.first)
        _at_least(self.first + 1, last=self.last)
        _at_least(0, false_negatives=self.false_negatives)
        _at_least(1, **{"bm25, dense and random": self.bm25 + self.dense + self.random})


@dataclass(frozen=True, slots=True, kw_only=True)
class TeacherPart:
    """One of the models that score.

    Attributes:
        spec: `bm25`, ``bi:EMBEDDER`` for a cosine, ``maxsim:ENCODER`` for late interaction between
            the tokens of a BERT encoder, or any reranker that `evaluate` takes: these score all
            candidates before the training. Or ``cosine`` and ``maxsim`` of the encoder that a
            stage learns from, which costs nothing beside its `features` and `probe`, for it reads
            what the student reads.
        weight: Of its scores in the sum.
        scale: What its scores are multiplied by; None brings them to mean 0 and deviation 1 within
            each list.
        shift: What is taken off its scores before; only with a `scale`.
    """

    spec: str
    weight: float = 1.0
    scale: float | None = None
    shift: float = 0.0

    def __post_init__(self) -> None:
        if self.shift and self.scale is None:
            msg = "shift needs a scale: without one, the mean of each list is taken off"
            raise ValueError(msg)

    @property
    def live(self) -> bool:
        """Whether it scores while the student trains."""
        return self.spec in LIVE


@dataclass(frozen=True, slots=True, kw_only=True)
class StagePart:
    """A part of the training, with a target, a pace and a length of its own.

    Attributes:
        kind: ``features`` brings the states of every token to those of an encoder; ``ranking``
            brings the scores of lists to those of the teachers, and the labels.
        steps: Its length in steps; or
        minutes: its length in minutes, in which case the learning rate depends on the time.
        lists: Lists of a step; for features, pairs of a step.
        size: Passages of a list.
        hard: Passages of a list that were found for the query; the rest are random ones.
        max_words: Words of a passage; None is what the file or the data says.
        max_tokens: Tokens of an input.
        long_tokens: Tokens of an input in some steps; None is always `max_tokens`.
        long_share: The share of these steps.
        multiple: Inputs are cut to a multiple of so many tokens, so that more of them share a
            length and a product.
        batch_tokens: Tokens of a forward pass; a step is made of as many as it needs.
        learning_rate: The highest.
        warmup: Steps in which it rises to that.
        decay: How it falls to `floor` then: ``linear``, ``cosine`` or ``none``.
        floor: The lowest, as a share of the highest.
        weight_decay: AdamW's, on matrices.
        layer_factor: What the rate of each layer below the last is multiplied by, and of the
            embeddings below the first.
        clip: The longest gradient.
        freeze: Names of modules that do not learn, such as ``words``.
        temperature: What teachers' sums are divided by before they become probabilities.
        kl: Weight of the divergence of the student's probabilities from the teachers'.
        margin_mse: Weight of the squared error of differences to the positive.
        mse: Weight of the squared error of scores, the mean of each list taken off.
        absolute: Weight of the squared error of scores as they are.
        contrastive: Weight of the cross-entropy with the positive.
        bce: Weight of the binary cross-entropy of every score.
        features: In ``ranking``, weight of what a stage ``features`` learns.
        probe: In ``ranking``, weight of telling, from the states that go into the last layer, how
            well the passage matches each token of the query.
        teacher: The encoder of ``features``, and of `features` and `probe`.
        joint: It reads the pair at once; else query and passage alone.
        pooled: Weight of what [CLS] should become: the pooled query.
        depth: How many of the student's layers bring the states there; None is all that can. In
            ranking these are the ones below the last, which reads for [CLS] what they made of the
            tokens.
    """

    kind: str
    steps: int | None = None
    minutes: float | None = None
    lists: int = 8
    size: int = 8
    hard: int = 5
    max_words: int | None = None
    max_tokens: int = 192
    long_tokens: int | None = None
    long_share: float = 0.2
    multiple: int = 1
    batch_tokens: int = 8192
    learning_rate: float = 3e-4
    warmup: int = 100
    decay: str = "linear"
    floor: float = 0.0
    weight_decay: float = 0.01
    layer_factor: float = 1.0
    clip: float = 1.0
    freeze: tuple[str, ...] = ()
    temperature: float = 1.0
    kl: float = 1.0
    margin_mse: float = 0.0
    mse: float = 0.0
    absolute: float = 0.0
    contrastive: float = 0.0
    bce: float = 0.0
    features: float = 0.0
    probe: float = 0.0
    teacher: str = ""
    joint: bool = False
    pooled: float = 1.0
    depth: int | None = None

    def __post_init__(self) -> None:
        _one_of(STAGES, kind=self.kind)
        _one_of(DECAYS, decay=self.decay)
        if (self.steps is None) == (self.minutes is None):
            msg = "give either steps or minutes"
            raise ValueError(msg)
        _at_least(1, steps=self.steps, lists=self.lists, max_words=self.max_words, depth=self.depth)
        _at_least(2, size=self.size)
        _at_least(8, max_tokens=self.max_tokens, long_tokens=self.long_tokens)
        _at_least(1, multiple=self.multiple)
        _at_least(0, **{name: getattr(self, name) for name in (*LOSSES, *STATES, *RATES)})
        for name in ("temperature", "clip", "batch_tokens"):
            if not getattr(self, name) > 0:
                msg = f"{name} must be above 0"
                raise ValueError(msg)
        states = self.kind == "features" or self.features > 0 or self.probe > 0
        if states and not self.teacher:
            msg = "features and probe need a teacher, a BERT encoder"
            raise ValueError(msg)
        if self.kind == "ranking" and not any(getattr(self, name) for name in LOSSES):
            msg = f"all losses have weight 0: give {', '.join(LOSSES[:-1])} or {LOSSES[-1]}"
            raise ValueError(msg)

    def check_depth(self, layers: int) -> None:
        """Raise `ValueError` if a student with so many layers lacks the states to compare."""
        if self.kind == "ranking":
            if not (self.features or self.probe):
                return
            layers -= 1
            if not layers:
                msg = "features and probe of ranking need a student of two layers or more"
                raise ValueError(msg)
        if self.depth is not None and self.depth > layers:
            below = " below the last one" if self.kind == "ranking" else ""
            msg = f"depth must be at most {layers}, the student's layers{below}, got {self.depth}"
            raise ValueError(msg)

    @property
    def taught(self) -> bool:
        """Whether it learns from the scores of teachers."""
        return self.kind == "ranking" and any(getattr(self, name) for name in TAUGHT)

    def tokens(self, step: int) -> int:
        """Return how many tokens the inputs of a step may have; long ones come regularly."""
        if self.long_tokens is None:
            return self.max_tokens
        turns = int((step + 1) * self.long_share) > int(step * self.long_share)
        return self.long_tokens if turns else self.max_tokens


@dataclass(frozen=True, slots=True, kw_only=True)
class DevPart:
    """What tells the best checkpoint.

    Attributes:
        collection: A folder in BEIR's layout, relative to the data folder; None holds out queries
            of the training data, each against the passages of its file.
        queries: How many queries: of the collection, or held out.
        candidates: What BM25 finds for each, to be reranked.
        max_tokens: Tokens of an input.
        minutes: Between two measurements.
        average: Keep a running average of the weights with this factor, such as 0.999, and measure
            and export that; None does not.
    """

    collection: str | None = None
    queries: int = 100
    candidates: int = 20
    max_tokens: int = 256
    minutes: float = 5.0
    average: float | None = None

    def __post_init__(self) -> None:
        _at_least(1, queries=self.queries)
        _at_least(2, candidates=self.candidates)
        _at_least(8, max_tokens=self.max_tokens)
        _at_least(0, minutes=self.minutes, average=self.average)
        if self.average is not None and self.average >= 1:
            msg = f"average must be below 1, got {self.average:g}"
            raise ValueError(msg)


@dataclass(frozen=True, slots=True, kw_only=True)
class OutputPart:
    """What is kept of a run.

    Attributes:
        minutes: Between two checkpoints.
        keep: Checkpoints to keep.
        log_steps: Steps between two lines of the log.
        licence: The model's own, for its card.
    """

    minutes: float = 5.0
    keep: int = 2
    log_steps: int = 20
    licence: str = "apache-2.0"

    def __post_init__(self) -> None:
        _at_least(0, minutes=self.minutes)
        _at_least(1, keep=self.keep, log_steps=self.log_steps)


@dataclass(frozen=True, slots=True, kw_only=True)
class Recipe:
    """A whole distillation.

    Attributes:
        name: The model's name, for its card.
        seed: What chance depends on: the same recipe makes the same model.
        threads: Of PyTorch; None is its own choice.
        device: As PyTorch calls it; None is the GPU if there is one, else the CPU.
        student: The model to train.
        data: What is trained on.
        mining: Which negatives there are.
        teachers: Which models score; needed if a stage has a loss of `TAUGHT`.
        stages: What is learnt, in order.
        dev: What tells the best checkpoint.
        output: What is kept.
    """

    name: str
    student: StudentPart
    data: DataPart
    stages: tuple[StagePart, ...]
    seed: int = 1
    threads: int | None = None
    device: str | None = None
    mining: MiningPart = field(default_factory=MiningPart)
    teachers: tuple[TeacherPart, ...] = ()
    dev: DevPart = field(default_factory=DevPart)
    output: OutputPart = field(default_factory=OutputPart)

    def __post_init__(self) -> None:
        _at_least(0, seed=self.seed)
        _at_least(1, threads=self.threads, stages=len(self.stages))
        for stage in self.stages:
            stage.check_depth(self.student.depth)
        if any(stage.taught for stage in self.stages) and not self.teachers:
            msg = f"a stage has {', '.join(TAUGHT[:-1])} or {TAUGHT[-1]}, so give [[teachers]]"
            raise ValueError(msg)
        if any(part.live for part in self.teachers) and not all(
            stage.teacher for stage in self.stages if stage.taught
        ):
            msg = f"{' and '.join(LIVE)} are those of a stage's encoder, so give every stage a teacher"
            raise ValueError(msg)

    @classmethod
    def read(cls, path: Path) -> Self:
        """Read a recipe; raises as `tables.read` does."""
        return tables.read(path, cls)


def described(part: Any) -> str:
    """Return a text that is the same for the same values: what caches depend on."""
    return repr(part)
