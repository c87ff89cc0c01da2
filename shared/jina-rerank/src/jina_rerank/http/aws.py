"""SageMaker through boto3: a client made of the settings, and one request."""

import gc
import os
from collections.abc import Sequence
from contextlib import closing
from importlib.metadata import version
from typing import Any

import boto3
from botocore.config import Config
from botocore.exceptions import NoCredentialsError

from ..settings import Settings
from ..wire.values import Answer
from .aws_failure import explained, readable

CONNECT_SECONDS = 5.0

READ_SECONDS = 70.0
"""SageMaker waits 60 seconds for a container; AWS asks for 70 here, so that its answer arrives.

https://docs.aws.amazon.com/sagemaker/latest/APIReference/API_runtime_InvokeEndpoint.html
"""


def connect(settings: Settings, connections: int) -> Any:
    """Make a client, with credentials found where boto3 looks for them; it serves many threads.

    boto3's own retries are off, so that ours are all there are.

    Args:
        settings: The region, the profile, the timeouts and how TLS is verified.
        connections: How many connections to keep.

    Raises:
        AuthenticationError: There are no credentials.
        ValueError: The region or the profile is missing or unknown.
    """
    seconds = settings.timeout if settings.timeout is not None else (CONNECT_SECONDS, READ_SECONDS)
    connecting, reading = (seconds, seconds) if isinstance(seconds, float | int) else seconds
    config = Config(
        connect_timeout=connecting,
        read_timeout=reading,
        max_pool_connections=connections,
        retries={"total_max_attempts": 1, "mode": "standard"},
        user_agent_extra=f"jina-rerank/{version('jina-rerank')} {settings.agent}".rstrip(),
    )
    # None instead of True: AWS_CA_BUNDLE and the configuration then have their say.
    verify = settings.verify
    verify = None if verify is True else os.fspath(verify) if verify is not False else False
    with explained(settings):
        session = boto3.Session(profile_name=settings.profile, region_name=settings.region)
        client = session.client("sagemaker-runtime", config=config, verify=verify)
        if session.get_credentials() is None:
            raise NoCredentialsError
    return client


def disconnect(client: Any) -> None:
    """Close a client's connections.

    boto3 only forgets its pools, and their sockets close when nothing refers to them any more. An
    error that it met refers to itself, which takes the garbage collector.
    """
    client.close()
    gc.collect()


def invoke(client: Any, settings: Settings, body: bytes, texts: Sequence[str]) -> Answer:
    """Ask the endpoint once.

    Args:
        client: What `connect` made.
        settings: Which endpoint, inference component and variant.
        body: What the container reads.
        texts: The query and the documents in it, which no message may repeat.

    Raises:
        APIError: It did not answer, or with an error.
    """
    chosen = {
        "EndpointName": settings.endpoint_name,
        "InferenceComponentName": settings.inference_component,
        "TargetVariant": settings.target_variant,
    }
    given = {name: value for name, value in chosen.items() if value is not None}
    kind = "application/json"
    with explained(settings, client.meta.endpoint_url, texts), readable():
        reply = client.invoke_endpoint(Body=body, ContentType=kind, Accept=kind, **given)
        with closing(reply["Body"]) as stream:
            return Answer(200, stream.read(), {"content-type": reply.get("ContentType", "")})
