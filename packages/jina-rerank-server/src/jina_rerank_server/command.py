"""The command `jina-rerank serve`."""

import os
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from functools import partial
from pathlib import Path
from typing import Annotated, Any

import typer

from . import logs
from .access import Access, check_names, is_loopback, read_key_file, read_keys
from .app import Server
from .bodies import Bodies
from .metrics import Metrics
from .rerank import Limits
from .running import bind, logger, place, run
from .served import Choice, Served

KEYS = "JINA_RERANK_KEYS"
"""Keys in the environment; no option takes one, for the list of processes shows options to all."""

MODEL_FOLDER = "/opt/ml/model"
"""Where SageMaker unpacks a model."""


class UsageError(typer.TyperException):
    """An argument that typer accepts and we do not."""

    exit_code = 2


def _option(name: str, metavar: str, text: str, *variables: str, **limits: Any) -> Any:
    """Describe an option, which can be set in the environment, too."""
    variable = f"JINA_RERANK_{name.upper().replace('-', '_')}"
    return typer.Option(
        f"--{name}",
        metavar=metavar,
        help=text,
        envvar=[variable, *variables],
        show_envvar=False,  # the rule is said once
        **limits,
    )


Models = Annotated[
    list[str] | None,
    _option(
        "model",
        "MODEL",
        "A name of 'jina-rerank models', a directory, or a Hugging Face id; NAME=MODEL gives "
        "it a name of your own. Several times for several models: the first answers requests that "
        "name none. Else what SageMaker put into /opt/ml/model, else nano.",
    ),
]
Host = Annotated[
    str,
    _option("host", "HOST", "Where to listen: 0.0.0.0 for every machine that reaches this one."),
]
Port = Annotated[
    int,
    _option(
        "port", "PORT", "0 takes any that is free.", "SAGEMAKER_BIND_TO_PORT", min=0, max=65_535
    ),
]
KeyFile = Annotated[
    Path | None,
    _option(
        "key-file",
        "FILE",
        f"API keys, one a line, any of which is enough; or put them into {KEYS}.",
    ),
]
AllowedHosts = Annotated[
    list[str] | None,
    _option(
        "allowed-host",
        "NAME",
        "A name that a server without keys answers to, besides addresses and this machine's "
        "name; '*' is any. Several times for several.",
    ),
]
Origins = Annotated[
    list[str] | None,
    _option(
        "cors-origin",
        "ORIGIN",
        "A web site whose pages may ask, such as https://search.example; '*' is any. Several "
        "times for several.",
    ),
]
BatchTokens = Annotated[
    int,
    _option("batch-tokens", "TOKENS", "About how many tokens go through the model at once.", min=1),
]
BatchWait = Annotated[
    float,
    _option(
        "batch-wait-ms", "MS", "How long a request waits for others to share a batch with.", min=0
    ),
]
QueueSize = Annotated[
    int,
    _option(
        "queue", "N", "Documents that may wait; more are refused with 429 and Retry-After.", min=1
    ),
]
MaxDocuments = Annotated[
    int, _option("max-documents", "N", "Documents that a request may have.", min=1)
]
MaxBody = Annotated[
    int, _option("max-body", "BYTES", "Bytes that a request's body may have.", min=1)
]
Deadline = Annotated[
    float, _option("deadline", "SECONDS", "How long an answer may take; then it is 504.", min=0.001)
]
BodyTimeout = Annotated[
    float,
    _option(
        "body-timeout", "SECONDS", "How long a body may take to arrive; then it is 408.", min=0.001
    ),
]
Device = Annotated[
    str | None, _option("device", "DEVICE", "Such as cpu or cuda:1; else a GPU if any.")
]
Dtype = Annotated[
    str,
    _option(
        "dtype",
        "DTYPE",
        "float32 for reproducible scores; else bfloat16 where the hardware has it.",
    ),
]
MaxLength = Annotated[
    int | None, _option("max-length", "TOKENS", "Cut query and document to this; else what fits.")
]
LogFormat = Annotated[
    str | None,
    _option("log-format", "FORMAT", "json or text; else text on a terminal and JSON elsewhere."),
]


def serve(  # noqa: PLR0913 - the options, each by its name
    *,
    model: Models = None,
    host: Host = "127.0.0.1",
    port: Port = 8080,
    key_file: KeyFile = None,
    allowed_host: AllowedHosts = None,
    cors_origin: Origins = None,
    batch_tokens: BatchTokens = 8192,
    batch_wait_ms: BatchWait = 2.0,
    queue: QueueSize = 8192,
    max_documents: MaxDocuments = 2048,
    max_body: MaxBody = 8 * 1024 * 1024,
    deadline: Deadline = 60.0,
    body_timeout: BodyTimeout = 30.0,
    device: Device = None,
    dtype: Dtype = "auto",
    max_length: MaxLength = None,
    log_format: LogFormat = None,
) -> None:
    """Answer rerank requests over HTTP, in the formats of Jina, Cohere, TEI and SageMaker.

    Ctrl-C or SIGTERM stops: what is under way is finished, for at most 25 seconds.

    Every option can be set in the environment, too: --max-body as JINA_RERANK_MAX_BODY, and so
    on; several values with spaces between.

    Exit codes:
    0 stopped as it was told
    2 wrong usage
    3 a model or the port is not available
    """
    with _usage():
        as_json = _is_json(log_format)
        folder = None if model else _model_folder()
        access = _access(
            key_file, allowed_host or (), cors_origin or (), behind_sagemaker=folder is not None
        )
        metrics = Metrics()
        served = Served.of(
            [Choice.of(text) for text in model or (folder or "nano",)],
            arguments={
                "device": device,
                "dtype": dtype,
                "max_length": max_length,
                "batch_tokens": batch_tokens,
            },
            batching={
                "batch_tokens": batch_tokens,
                "batch_wait": batch_wait_ms / 1000,
                "queue_size": queue,
            },
            metrics=metrics,
        )
    listener = bind(host, port)
    logs.configure(as_json=as_json)
    greet = partial(_greet, served, access, host, listener.getsockname()[1])
    server = Server(
        served=served,
        access=access,
        bodies=Bodies(largest=max_body, patience=body_timeout),
        limits=Limits(documents=max_documents, deadline=deadline),
        metrics=metrics,
    )
    with _usage():  # some arguments can only be checked by loading, such as the device
        run(server, listener, greet=greet)


@contextmanager
def _usage() -> Iterator[None]:
    """Turn what is wrong with an argument into an error of usage."""
    try:
        yield
    except (TypeError, ValueError) as error:
        raise UsageError(str(error)) from error


def _is_json(log_format: str | None) -> bool | None:
    if log_format not in {None, "json", "text"}:
        msg = f"--log-format is json or text, not {log_format!r}"
        raise ValueError(msg)
    return None if log_format is None else log_format == "json"


def _model_folder(environment: Mapping[str, str] = os.environ) -> str | None:
    """Find the model that SageMaker brought.

    Whatever is there was meant to be served: files in the wrong place are an error when it is
    loaded, and never another model's scores.

    Raises:
        ValueError: It cannot be told what is there.
    """
    folder = Path(environment.get("SM_MODEL_DIR", MODEL_FOLDER))
    try:
        return str(folder) if any(folder.iterdir()) else None
    except FileNotFoundError:
        return None
    except OSError as error:
        msg = f"the model's folder '{folder}' cannot be read: {error.strerror}"
        raise ValueError(msg) from error


def _access(
    key_file: Path | None, hosts: Sequence[str], origins: Sequence[str], *, behind_sagemaker: bool
) -> Access:
    """Collect who may ask.

    Args:
        key_file: The file of keys.
        hosts: The allowed hosts.
        origins: The allowed origins.
        behind_sagemaker: The model is where SageMaker puts it, so that it may ask.
    """
    check_names(hosts, origins)
    known = read_key_file(key_file) if key_file is not None else frozenset()
    if (text := os.environ.get(KEYS)) is not None:
        try:
            known |= read_keys(text)
        except ValueError as error:
            msg = f"{KEYS}: {error}"
            raise ValueError(msg) from error
    names = frozenset(host.lower().strip("[]") for host in hosts)
    return Access(
        keys=known,
        hosts=names,
        origins=frozenset(origins),
        behind_sagemaker=behind_sagemaker,
    )


def _greet(served: Served, access: Access, host: str, port: int) -> None:
    """Say what is served, where, and to whom."""
    ids = ", ".join(model.id for model in served)
    where = place(host, port)
    logger.info("loading %s; listening on http://%s (page: /, API: /docs)", ids, where)
    if access.keys:
        logger.info("requests need one of %d keys", len(access.keys))
    elif not is_loopback(host):
        logger.warning("no key is set: everybody who reaches this port can ask; see --key-file")
