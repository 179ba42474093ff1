"""The configuration of a torture run: small, with every rule that remembers something."""

from __future__ import annotations

#: Events of an unknown device wait so long (milliseconds of append time) for its install.
GRACE = 2_000

FILE = """\
sources:
  - {topic: @installs, record: install}
  - {topic: @events, record: event}
apps:
  - &android
    id: com.example.torture
    project: torture # both apps share their users
    platform: android
    install_grace: 2s
  - <<: *android
    id: com.example.torture.ios
    platform: ios
    install_grace: 1s
    reattribute_to_organic: false
partners:
  - {id: acme, name: Acme, max_in_flight: 500}
  - {id: globex, name: Globex, max_in_flight: 500, impression_lookback: 12h}
  - {id: initech, name: Initech, max_in_flight: 500}
  - {id: northwind, name: Northwind, max_in_flight: 500} # an agency
postbacks:
"""

POSTBACK = """\
  - id: {id}
    app: {app}
    partner: {partner}
    event: {event}
    delivery_method: {method}
{scope}    url: "{partner_url}/{id}?device={{device_id}}&record={{event_id}}&n={{attribution_number}}&user={{user_id}}"
"""

#: Name, partner, derived event, delivery method, scope. Each once for each app.
POSTBACKS: tuple[tuple[str, str, str, str, str], ...] = (
    ("install", "acme", "install", "network", "device"),
    ("re-install", "globex", "re_install", "all", "device"),
    ("payment", "acme", "payment", "network", "device"),
    ("payment-ca", "globex", "payment_ca", "network", "device"),
    ("first-payment", "initech", "first_payment", "all", "device"),
    ("first-payment-ca", "globex", "first_payment_ca", "all", "device"),
    ("first-payment-user", "acme", "first_payment", "all", "user"),
    ("first-custom-user", "northwind", "first_custom_payment", "network_and_agency", "user"),
    ("first-level", "northwind", "first_event:level_up", "network_and_agency", "device"),
    ("level", "initech", "event:level_up", "all", "device"),
    ("session", "acme", "session", "network", "device"),
    ("first-registration-ca", "acme", "first_registration_ca", "all", "device"),
    ("re-engagement", "globex", "re_engagement", "all", "device"),
    ("re-engagement-user", "initech", "re_engagement_user", "all", "user"),
    ("new-user", "initech", "new_user", "all", "user"),
)
APPS = {"android": "com.example.torture", "ios": "com.example.torture.ios"}


def text(prefix: str, partner_url: str) -> str:
    """The file: all partners live at `partner_url`, the input topics' names begin with `prefix`."""
    head = FILE.replace("@", prefix)
    return head + "".join(
        POSTBACK.format(
            id=f"{name}-{platform}",
            app=app,
            partner=partner,
            event=event,
            method=method,
            scope="    scope: user\n" if scope == "user" and event.startswith("first_") else "",
            partner_url=partner_url.rstrip("/"),
        )
        for platform, app in APPS.items()
        for name, partner, event, method, scope in POSTBACKS
    )
