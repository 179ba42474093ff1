-- What the report must show for a log of one mobile app, by the contract's definitions, and by nothing else: window
-- functions over the records. One line for each day (UTC, of the record), derived event and partner ('organic': none).
-- An event is the publisher's, and the agency's too where that has a postback on it at `network_and_agency`.
--
-- It holds for logs in which every device's install comes first and once, every event is a payment, each device is one
-- user, and no record is late: as the CDNOW shop's.
WITH
installs AS (
    SELECT
        google_aid AS device,
        CAST(install_timestamp AS TIMESTAMPTZ) AS moment,
        coalesce(publisher_name, agency_name, 'organic') AS first_partner,
        CASE WHEN publisher_name IS NOT NULL THEN agency_name END AS first_agency
    FROM read_json($installs, columns = {
        google_aid: 'VARCHAR', install_timestamp: 'VARCHAR', publisher_name: 'VARCHAR', agency_name: 'VARCHAR'
    })
),
payments AS (
    SELECT
        google_aid AS device,
        CAST(event_timestamp AS TIMESTAMPTZ) AS moment,
        id,
        -- A touch counts for 7 days.
        CASE
            WHEN CAST(event_timestamp AS TIMESTAMPTZ)
                - CAST(coalesce(click_timestamp, event_timestamp) AS TIMESTAMPTZ) <= INTERVAL 7 DAYS
            THEN coalesce(publisher_name, agency_name, 'organic')
            ELSE 'organic'
        END AS touched_by,
        CASE WHEN touched_by = publisher_name THEN agency_name END AS touched_agency
    FROM read_json($events, columns = {
        id: 'VARCHAR', google_aid: 'VARCHAR', event_timestamp: 'VARCHAR', click_timestamp: 'VARCHAR',
        publisher_name: 'VARCHAR', agency_name: 'VARCHAR'
    })
),
quiet AS (
    -- More than 30 days since the payment before, or since the install: a re-engagement.
    SELECT
        payments.*,
        first_partner,
        first_agency,
        payments.moment - coalesce(lag(payments.moment) OVER device_order, installs.moment) > INTERVAL 30 DAYS AS returned,
        row_number() OVER device_order AS number
    FROM payments JOIN installs USING (device)
    WINDOW device_order AS (PARTITION BY device ORDER BY payments.moment, id)
),
periods AS (
    -- Each re-engagement starts an attribution, which lasts until the next one.
    SELECT *, count(*) FILTER (WHERE returned) OVER (PARTITION BY device ORDER BY moment, id) AS period FROM quiet
),
attributed AS (
    SELECT
        *,
        CASE WHEN period = 0 THEN first_partner ELSE first_value(touched_by) OVER period_order END AS current_partner,
        CASE WHEN period = 0 THEN first_agency ELSE first_value(touched_agency) OVER period_order END AS current_agency,
        row_number() OVER period_order AS number_in_period
    FROM periods
    WINDOW period_order AS (PARTITION BY device, period ORDER BY moment, id)
),
fired AS (
    SELECT moment, 'install' AS event, first_partner AS partner, first_agency AS agency FROM installs
    UNION ALL SELECT moment, 'new_user', first_partner, NULL FROM installs
    UNION ALL SELECT moment, 'payment', first_partner, first_agency FROM attributed
    UNION ALL SELECT moment, 'payment_ca', current_partner, current_agency FROM attributed
    UNION ALL SELECT moment, 'first_payment', first_partner, first_agency FROM attributed WHERE number = 1
    UNION ALL SELECT moment, 'first_payment@user', first_partner, NULL FROM attributed WHERE number = 1
    UNION ALL SELECT moment, 'first_payment_ca', current_partner, current_agency FROM attributed WHERE number_in_period = 1
    UNION ALL SELECT moment, 're_engagement', current_partner, current_agency FROM attributed WHERE returned
    UNION ALL SELECT moment, 're_engagement_user', current_partner, NULL FROM attributed WHERE returned
),
shown AS (
    SELECT moment, event, partner FROM fired
    UNION ALL SELECT moment, event, agency FROM fired WHERE agency <> partner
)
SELECT strftime(moment AT TIME ZONE 'UTC', '%Y-%m-%d') AS day, event, partner, count(*) AS events
FROM shown
GROUP BY ALL
ORDER BY ALL
