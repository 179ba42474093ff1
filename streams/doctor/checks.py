"""The table of checks, and looking at all of them."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator
from typing import NamedTuple

from confluent_kafka import KafkaException

from streams.errors import Stop

from . import clocks, cluster, groups, machine, packages, setup
from .findings import Finding, Unknown, Verdict, warning, worst, wrong
from .site import Site


class Check(NamedTuple):
    """A row of the table: a name, what it looks at, the function, and what to do where a finding does not say."""

    name: str
    looks_at: str
    look: Callable[[Site], Iterable[Finding]]
    remedy: str


#: In the order in which they are made: later ones need what earlier ones find.
CHECKS = (
    Check("settings", "the environment and the settings file", setup.settings, "`ringback settings` lists every one"),
    Check(
        "versions",
        "Python, Ringback and the packages it stands on",
        packages.versions,
        "install it in an environment of its own: `pip install ringback`",
    ),
    Check("packages", "what must not be installed beside it", packages.intruders, "remove them from this environment"),
    Check(
        "broker",
        "whether Kafka answers, its version, how many brokers",
        cluster.brokers,
        "look at RINGBACK_BOOTSTRAP_SERVERS, and whether the broker runs",
    ),
    Check(
        "configuration",
        "the generation in force, and that it can be used",
        setup.configuration,
        "`ringback apply DIR`",
    ),
    Check("inputs", "the topics of the sources", cluster.inputs, "`ringback topics create`"),
    Check("topics", "our own topics, and how they are kept", cluster.ours, "`ringback topics create`"),
    Check(
        "keys",
        f"the newest records of each input partition: at most {cluster.NEWEST}, and {cluster.NEWEST_IN_ALL:,} in all",
        cluster.keys,
        "produce with the device key as the Kafka key",
    ),
    Check(
        "secrets",
        "the references in partners and postbacks",
        setup.secrets,
        "set them where the senders run",
    ),
    Check(
        "egress",
        "the addresses that postbacks call, where they are not names",
        setup.egress_,
        "set RINGBACK_EGRESS_ALLOW where the senders run",
    ),
    Check("clock", "this machine's clock beside the broker's", clocks.clock, "run NTP on both machines"),
    Check("disk", "the state directory, and the limit of open files", machine.disk, "look at RINGBACK_STATE_DIR"),
    Check(
        "ports",
        "the ports of /metrics, /healthz and /readyz",
        machine.ports,
        "look at RINGBACK_METRICS_PORT and RINGBACK_SENDER_METRICS_PORT",
    ),
    Check("groups", "workers and senders, and what they have not read", groups.groups, "start them"),
    Check("local", "Java and the extra `local`: for the demo and the tests", machine.local, machine.LOCAL),
)


class Looked(NamedTuple):
    """A check with what it found."""

    check: Check
    findings: tuple[Finding, ...]

    @property
    def verdict(self) -> Verdict:
        """The worst of its findings."""
        return worst(one.verdict for one in self.findings)


def examine(site: Site, checks: Iterable[Check] = CHECKS) -> Iterator[Looked]:
    """Make all checks, one after the other, whatever becomes of each. Blocks for a few seconds in all."""
    for check in checks:
        yield Looked(check, tuple(_findings(check, site)))


def _findings(check: Check, site: Site) -> list[Finding]:
    found: list[Finding] = []
    try:
        found.extend(_with_remedy(one, check) for one in check.look(site))
    except Unknown as unknown:
        # What to do about it stands where it was found to be missing.
        found.append(warning(f"not looked at: {unknown.reason}"))
    except Stop as stop:
        found.append(wrong(stop.message, stop.remedy))
    except KafkaException as error:
        found.append(wrong(f"Kafka refuses: {error.args[0].str()}", check.remedy))
    except TimeoutError as error:
        found.append(wrong(f"Kafka did not answer in time {error}".rstrip(), "try again with a longer --timeout"))
    except Exception as error:  # one check's bug must not keep the others from being made
        found.append(wrong(f"the check itself failed: {type(error).__name__}: {error}", "report it with this line"))
    return found


def _with_remedy(finding: Finding, check: Check) -> Finding:
    if finding.verdict == "ok" or finding.remedy:
        return finding
    return finding._replace(remedy=check.remedy)
