"""The client that a process asks the brokers with where partitions end.

One for all who ask, and kept: a new one waits for seconds now and then. librdkafka lets go of the connection to a
bootstrap server as soon as it has heard which brokers there are. A question that comes before it has the next
connection finds none that is usable, and is asked again by a timer of one second or three: three in a hundred new
clients, more under load. One that has listed the topics knows the leaders, and waits for the connection itself.
"""

from __future__ import annotations

import atexit
import logging
import threading
from typing import Any

from confluent_kafka import KafkaException
from confluent_kafka.admin import AdminClient

from streams import kafka
from streams.settings import Settings

log = logging.getLogger(__name__)

#: It waits so long (seconds) for the brokers when it is made.
WARM_S = 5.0

_making = threading.Lock()
#: The one for the settings that were asked for last, by these.
_kept: dict[Any, AdminClient] = {}


def client(settings: Settings) -> AdminClient:
    """Safe to use from several threads. Blocks when it is the first one, and the brokers are away, for `WARM_S`; later
    never. It is closed when the process ends: one that is let go of while it is asked may crash.
    """
    key = settings.bootstrap_servers, tuple(sorted(settings.kafka_options.items()))
    with _making:
        if (known := _kept.get(key)) is None:
            known = AdminClient(kafka.admin_settings(settings))
            try:
                known.list_topics(timeout=WARM_S)
            except KafkaException as exception:
                log.info("the brokers do not answer: %s", exception.args[0].str())
            _kept.clear()
            _kept[key] = known
    # Its log lines are written.
    known.poll(0)
    return known


# After all threads but daemons have ended.
atexit.register(_kept.clear)
