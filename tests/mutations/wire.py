"""What the sender does on connections: time and size, framing, one request once, egress, names, TLS, exact bytes, and
what is ours (D10–D12, D15–D21, D26).
"""

from __future__ import annotations

from tests.mutations.mutation import Mutation

HTTP = "streams/delivery/http"
ANSWERS = f"{HTTP}/answers.py"
PLAIN = f"{HTTP}/plain.py"
CONNECTIONS = f"{HTTP}/connections.py"
DIALLING = f"{HTTP}/dialling.py"
FAILURES = f"{HTTP}/failures.py"
NAMES = f"{HTTP}/names.py"
DEADLINES = "streams/delivery/deadlines.py"
EXCHANGE = f"{HTTP}/exchange.py"
WIRE = "streams/delivery/wire.py"
EGRESS = "streams/delivery/egress.py"
RETRY = "streams/delivery/retry.py"

AT_WIRE = "tests/integration/test_sender_wire.py"
AT_CONNECTIONS = "tests/integration/test_sender_connections.py"
AT_EGRESS = "tests/integration/test_sender_egress.py"
AT_TLS = "tests/integration/test_sender_tls.py"
AT_HOSTILE = "tests/integration/test_sender_hostile.py"
AT_OURS = "tests/integration/test_sender_ours.py"
AT_ANSWERS = "tests/unit/delivery/http/test_answers.py"
AT_PLAIN = "tests/unit/delivery/http/test_plain.py"
AT_REQUESTS = "tests/unit/delivery/http/test_requests.py"
AT_NETWORKS = "tests/unit/delivery/test_egress.py"
AT_RETRY = "tests/unit/delivery/test_retry.py"

LIMITS = f"{AT_ANSWERS}::test_nothing_is_longer_than_its_limit"
NOT_AGAIN = f"{AT_CONNECTIONS}::test_a_connection_is_not_used_again_where_the_next_answer_could_be_another_ones"
STARVED = f"{AT_OURS}::test_without_file_descriptors_nothing_is_charged_and_connections_that_wait_are_given_up"

BEHIND_CHUNKS = f"{AT_ANSWERS}::test_behind_the_last_chunk_nothing_may_begin"
WHOLE = "        whole = self._left is not None or self._tail.endswith(_END)"
DIALS = f"{AT_HOSTILE}::test_a_request_that_ends_while_it_dials_has_one_end_and_leaves_no_socket"

MUTATIONS: tuple[Mutation, ...] = (
    Mutation(
        "D10",
        "the end of a request's time",
        DEADLINES,
        "                self._end(due.pop().expire)\n",
        "                due.pop()\n",
        (f"{AT_WIRE}::test_the_timeout_is_over_everything",),
    ),
    Mutation(
        "D10",
        "the limit of what is kept of a body",
        ANSWERS,
        "payload.read_nowait(-1)[: BODY_LIMIT - len(self.body)]",
        "payload.read_nowait(-1)",
        (f"{AT_WIRE}::test_an_endless_body_is_cut",),
    ),
    Mutation(
        "D10",
        "the end of an answer whose body is too long",
        ANSWERS,
        "return self._behind or len(self.body) >= BODY_LIMIT",
        "return self._behind",
        (f"{AT_WIRE}::test_an_endless_body_is_cut",),
    ),
    Mutation(
        "D10",
        "bodies left as they are",
        ANSWERS,
        "auto_decompress=False",
        "auto_decompress=True",
        (f"{AT_WIRE}::test_a_compressed_body_is_not_unpacked",),
    ),
    Mutation(
        "D10",
        "the limit of a head",
        ANSWERS,
        "            if self._heads > HEAD_LIMIT:",
        "            if False:",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the limit of a line",
        ANSWERS,
        "max_line_size=HEADER_LINE_LIMIT",
        "max_line_size=2**31",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the limit of a header",
        ANSWERS,
        "max_field_size=HEADER_LINE_LIMIT",
        "max_field_size=2**31",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the limit of headers",
        ANSWERS,
        "max_headers=HEADER_COUNT_LIMIT",
        "max_headers=2**31",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the limit of answers before the one that counts",
        ANSWERS,
        "        if self._interim > INTERIM_LIMIT:",
        "        if False:",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the limit of empty lines before an answer",
        ANSWERS,
        "            self._interim += end == len(_END)\n",
        "",
        (LIMITS,),
    ),
    Mutation(
        "D10",
        "the end of a connection whose request ran out of time",
        EXCHANGE,
        "            self._connection.drop()",
        "            pass",
        (f"{AT_CONNECTIONS}::test_a_request_that_ran_out_of_time_leaves_no_connection",),
    ),
    Mutation(
        "D10",
        "the end of dialling for a request that has ended",
        EXCHANGE,
        "            self._dialling.cancel()",
        "            pass",
        (DIALS,),
    ),
    Mutation(
        "D10",
        "an end of those who still dial when all is closed",
        DEADLINES,
        "                self._end(due.pop().close)",
        "                due.pop()",
        (DIALS,),
    ),
    Mutation(
        "D11",
        "time for the others when one of them breaks",
        DEADLINES,
        "        except Exception as error:",
        "        except KeyError as error:",
        (
            f"{AT_HOSTILE}::test_an_error_of_whoever_is_told_is_nobody_elses",
            "tests/unit/delivery/test_deadlines.py::test_an_error_of_one_leaves_the_others_their_time",
        ),
    ),
    Mutation(
        "D11",
        "care with one who is cancelled as the answer comes",
        WIRE,
        "            if not outcome.done():",
        "            if outcome is not None:",
        (f"{AT_HOSTILE}::test_a_request_that_is_cancelled_as_it_ends_is_cancelled",),
    ),
    Mutation(
        "D11",
        "the end of a connection that the server closed",
        CONNECTIONS,
        "        self._fail(exc or Disconnected())",
        "        pass",
        (f"{AT_WIRE}::test_malformed_answers_are_typed_failures",),
    ),
    Mutation(
        "D11",
        "the end of an answer that is none",
        CONNECTIONS,
        "        except Malformed as error:\n            self._fail(error)\n",
        "        except Malformed:\n",
        (f"{AT_WIRE}::test_malformed_answers_are_typed_failures",),
    ),
    Mutation(
        "D11",
        "no further use of a connection with more bytes than its answer",
        ANSWERS,
        "        self._behind = self._behind or len(data) > self._left",
        "        self._behind = self._behind or False",
        (NOT_AGAIN,),
    ),
    Mutation(
        "D11",
        "no further use of a connection with more bytes than the last chunk",
        ANSWERS,
        WHOLE,
        "        whole = True",
        (BEHIND_CHUNKS,),
    ),
    Mutation(
        "D11",
        "no further use of a connection on which nobody knows where the answer ended",
        ANSWERS,
        "whole and self._counted and",
        "whole and",
        (f"{AT_ANSWERS}::test_behind_bare_line_feeds_a_connection_is_not_trusted",),
    ),
    Mutation(
        "D11",
        "the parser for an answer that is not as long as it says",
        PLAIN,
        "len(data) - begins == length and ",
        "",
        (f"{AT_PLAIN}::test_anything_else_is_the_parsers",),
    ),
    Mutation(
        "D11",
        "the parser for an answer with fields that say where it ends",
        PLAIN,
        '    "transfer-encoding",\n',
        "",
        (f"{AT_PLAIN}::test_anything_else_is_the_parsers",),
    ),
    Mutation(
        "D11",
        "no further use of a connection that promised a body with a 204",
        ANSWERS,
        'if message.code == _NO_CONTENT and (message.chunked or length != "0"):',
        "if False:",
        (NOT_AGAIN,),
    ),
    Mutation(
        "D11",
        "no further use of a connection that the server wants to close",
        ANSWERS,
        "            return message.should_close",
        "            return False",
        (f"{AT_ANSWERS}::test_whether_a_connection_stays",),
    ),
    Mutation(
        "D11",
        "no further use of a connection that still holds a request",
        CONNECTIONS,
        "if not self.reading.clean or unwritten:",
        "if not self.reading.clean:",
        (f"{AT_WIRE}::test_an_answer_before_the_request_is_written_counts",),
    ),
    Mutation(
        "D11",
        "the end of a connection that speaks unasked",
        CONNECTIONS,
        "            self.drop()\n            return\n        if self.first",
        "            return\n        if self.first",
        (f"{AT_CONNECTIONS}::test_what_comes_behind_an_answer_is_not_the_next_one",),
    ),
    Mutation(
        "D12",
        "that nothing is written twice",
        EXCHANGE,
        "        self._fail(outcome)\n\n    def close",
        "        if self._phases is _NONE:\n"
        "            from streams.delivery.egress import Guard\n\n"
        '            dialler = Dialler(Guard(["127.0.0.0/8"]), None, self._connections)\n'
        "            self._phases = Phases()\n"
        "            self._dialling = self._connections.loop.create_task(self._dial(dialler))\n"
        "            return\n        self._fail(outcome)\n\n    def close",
        (f"{AT_CONNECTIONS}::test_a_get_is_written_once_when_a_kept_alive_connection_drops",),
    ),
    Mutation(
        "D12",
        "the look at a connection that nobody used for a while",
        CONNECTIONS,
        "return now - self.idle_since > UNDOUBTED_SECONDS and not _silent(self._socket)",
        "return False",
        (f"{AT_CONNECTIONS}::test_nor_when_the_event_loop_was_too_busy_to_hear_of_it",),
    ),
    Mutation(
        "D12",
        "care with servers that close under a request",
        EXCHANGE,
        "            self._connections.distrust(self._origin, time.monotonic())",
        "            pass",
        (f"{AT_CONNECTIONS}::test_who_closes_under_a_request_is_not_asked_on_a_used_connection_for_a_while",),
    ),
    Mutation(
        "D15",
        "statuses that are final",
        RETRY,
        "    if status is not None and within(status, partner.no_retry_statuses):",
        "    if False:",
        (AT_RETRY,),
    ),
    Mutation(
        "D15",
        "the pause of a partner that answers 410",
        RETRY,
        "pause=status == 410",
        "pause=False",
        (AT_RETRY,),
    ),
    Mutation(
        "D16",
        "that only 2xx is a success",
        RETRY,
        "    if answered and status is not None and within(status, partner.success_statuses):",
        "    if answered and status is not None and status < 400:",
        (AT_RETRY,),
    ),
    Mutation(
        "D16",
        "the end of an answer that has no body",
        ANSWERS,
        "_NO_BODY = frozenset({_NO_CONTENT, 304})",
        "_NO_BODY = frozenset[int]()",
        (f"{AT_CONNECTIONS}::test_a_connection_is_used_again_after_a_whole_answer",),
    ),
    Mutation(
        "D17",
        "the guard of sockets",
        EGRESS,
        "        if not self.permits(str(address[0])):",
        "        if False:",
        (AT_NETWORKS, AT_EGRESS),
    ),
    Mutation(
        "D17",
        "the addresses of the cloud's metadata",
        EGRESS,
        '        "169.254.0.0/16",\n',
        "",
        (AT_NETWORKS,),
    ),
    Mutation(
        "D17",
        "IPv4 behind a 6to4 address",
        EGRESS,
        '        "2002::/16",\n',
        "",
        (AT_NETWORKS,),
    ),
    Mutation(
        "D17",
        "IPv4 behind a NAT64 address",
        EGRESS,
        "            return (ipaddress.IPv4Address(int(address) & 0xFFFF_FFFF),)",
        '            return (ipaddress.IPv4Address("8.8.8.8"),)',
        (AT_NETWORKS,),
    ),
    Mutation(
        "D18",
        "look-ups side by side",
        NAMES,
        "RESOLVER_THREADS = 64",
        "RESOLVER_THREADS = 1",
        (f"{AT_WIRE}::test_a_resolver_that_hangs_delays_nobody_else",),
    ),
    Mutation(
        "D18",
        "the look-up that others wait for too",
        NAMES,
        "await asyncio.shield(asked)",
        "await asked",
        (f"{AT_WIRE}::test_who_cannot_wait_for_a_name_does_not_keep_it_from_others",),
    ),
    Mutation(
        "D18",
        "a look-up that is not answered in time left uncharged",
        EXCHANGE,
        "UNANSWERED if self._phases.looking_up else ",
        "",
        (f"{AT_WIRE}::test_a_resolver_that_hangs_delays_nobody_else",),
    ),
    Mutation(
        "D18",
        "the rest of a lane whose name cannot be looked up",
        RETRY,
        'healthy = False if (outcome.error or "").startswith("resolver:") else None',
        "healthy = None",
        (f"{AT_RETRY}::test_a_name_that_cannot_be_looked_up_is_not_charged_and_lets_its_lane_rest",),
    ),
    Mutation(
        "D18",
        "an end of the process that does not wait for a look-up",
        NAMES,
        "daemon=True",
        "daemon=False",
        (f"{AT_HOSTILE}::test_a_look_up_that_hangs_keeps_no_process_from_ending",),
    ),
    Mutation(
        "D19",
        "trust in known authorities only",
        WIRE,
        "ssl.create_default_context()",
        "ssl._create_unverified_context()",
        (f"{AT_TLS}::test_an_authority_that_nobody_knows_is_refused",),
    ),
    Mutation(
        "D19",
        "the name that a certificate must be for",
        DIALLING,
        'server_hostname=origin.host.rstrip("."),',
        'server_hostname="elsewhere.example",',
        (f"{AT_TLS}::test_a_certificate_that_proves_nothing_is_refused",),
    ),
    Mutation(
        "D20",
        "headers that stay one header each",
        f"{HTTP}/requests.py",
        """    if own.count("\\r") != len(headers) or own.count("\\n") != len(headers) or "\\0" in own:""",
        "    if False:",
        (f"{AT_WIRE}::test_a_header_cannot_be_injected", AT_REQUESTS),
    ),
    Mutation(
        "D20",
        "a target that is one word",
        f"{HTTP}/origins.py",
        'or not url.isprintable() or " " in url',
        "",
        (AT_REQUESTS,),
    ),
    Mutation(
        "D21",
        "the target as it is written",
        f"{HTTP}/origins.py",
        "    target = url[found.end() :]\n",
        '    target = url[found.end() :].replace("%2C", ",")\n',
        (f"{AT_WIRE}::test_the_bytes_on_the_wire_are_those_of_the_request",),
    ),
    Mutation(
        "D26",
        "what is ours when a connection is made",
        FAILURES,
        "    if not dialled and isinstance(error, OSError) and is_ours(error):",
        "    if False:",
        (STARVED, f"{AT_OURS}::test_without_ports_nothing_is_charged"),
    ),
    Mutation(
        "D26",
        "what is ours when a closed wire writes nothing",
        EXCHANGE,
        "            self._fail(CLOSED)",
        "            self.failed(Disconnected())",
        (DIALS,),
    ),
    Mutation(
        "D26",
        "nothing sent by a wire that is closed",
        WIRE,
        "        if self._closed:",
        "        if False:",
        (f"{AT_HOSTILE}::test_a_wire_that_is_closed_sends_nothing_any_more",),
    ),
    Mutation(
        "D26",
        "names that stay known while something has run out here",
        DIALLING,
        "            if not is_ours(error):\n",
        "            if True:\n",
        (f"{AT_OURS}::test_a_name_stays_known_while_what_has_run_out_is_ours",),
    ),
    Mutation(
        "D26",
        "what is ours when a name is looked up",
        FAILURES,
        "        if is_ours(error):\n",
        "        if False:\n",
        (f"{AT_OURS}::test_a_name_that_does_not_exist_is_a_failure_and_a_resolver_that_is_down_is_ours",),
    ),
    Mutation(
        "D26",
        "doubt in a resolver without file descriptors",
        NAMES,
        "        socket.socket(socket.AF_UNIX).close()\n",
        "",
        (STARVED,),
    ),
    Mutation(
        "D26",
        "giving up connections that wait, when their descriptors are needed",
        EXCHANGE,
        "                self._connections.shed()",
        "                pass",
        (STARVED,),
    ),
)
