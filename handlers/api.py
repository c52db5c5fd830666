"""The Lambda entry for API Gateway: the application, wrapped by Mangum. Imports little; a test says what."""

import gc
import os
from collections.abc import Callable
from typing import Any

# Importing makes many objects and no garbage: the collector would walk them again and again for nothing.
gc.disable()

from mangum import Mangum  # noqa: E402

from handlers.app import configure_log, create_app  # noqa: E402
from handlers.http.gateway_event import GatewayEvent  # noqa: E402
from handlers.http.reply import Reply  # noqa: E402
from handlers.services import Services  # noqa: E402
from handlers.settings import Settings  # noqa: E402

gc.freeze()
gc.enable()


async def _inline(work: Callable[[], Reply]) -> Reply:
    """One request at a time per environment: a thread would cost a hop and free nobody."""
    return work()


_settings = Settings.from_env(os.environ)
configure_log(_settings.log)
# Mangum's protocol declares the making of a handler with any arguments, and passes these three.
_handlers: list[Any] = [GatewayEvent]
handler = Mangum(create_app(Services(_settings, freezes=True), _inline), lifespan="off", custom_handlers=_handlers)
