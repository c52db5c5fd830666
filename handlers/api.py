"""The Lambda entry for API Gateway: the application, wrapped by Mangum. Imports little; a test says what."""

import os
from collections.abc import Callable

from mangum import Mangum

from handlers.app import configure_log, create_app
from handlers.reply import Reply
from handlers.services import Services
from handlers.settings import Settings


async def _inline(work: Callable[[], Reply]) -> Reply:
    """One request at a time per environment: a thread would cost a hop and free nobody."""
    return work()


_settings = Settings.from_env(os.environ)
configure_log(_settings.log)
handler = Mangum(create_app(Services(_settings), _inline), lifespan="off")
