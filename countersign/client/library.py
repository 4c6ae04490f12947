"""How Temporal's library reads payloads and logs."""

import atexit
import logging
import time

from temporalio.contrib.pydantic import PydanticPayloadConverter
from temporalio.converter import CompositePayloadConverter, DataConverter
from temporalio.runtime import LogForwardingConfig, LoggingConfig, Runtime, TelemetryConfig

# The library logs each call that fails while the server is away; our own periodic tasks log that once a minute.
LIBRARY_LOGS = "error,temporalio_sdk_core=warn,temporalio_client::retry=error"
# A thread of the library that is just returning from the last call when the interpreter shuts down would crash it, so
# it gets this time to return (https://github.com/temporalio/sdk-python/issues/300).
LAST_CALL_SECONDS = 0.05
atexit.register(time.sleep, LAST_CALL_SECONDS)


class PayloadConverter(CompositePayloadConverter):
    """Writes and reads payloads as the library's own converter for Pydantic does.

    The library makes one for each workflow it holds, and another for each task. They share their parts, as otherwise
    each would build and keep type adapters of its own for our models.
    """

    shared = tuple(PydanticPayloadConverter().converters.values())

    def __init__(self) -> None:
        super().__init__(*self.shared)


DATA_CONVERTER = DataConverter(payload_converter_class=PayloadConverter)


def log_through_python() -> None:
    """Have Temporal's library log through Python's logging, which its core bypasses by default.

    Call it before any client.
    """
    forwarding = LogForwardingConfig(
        logging.getLogger("temporal"), append_target_to_name=False, prepend_target_on_message=False
    )
    logged = LoggingConfig(LIBRARY_LOGS, forwarding)
    Runtime.set_default(Runtime(telemetry=TelemetryConfig(logging=logged)))
