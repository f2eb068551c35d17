-- What a finding and a billing line are compared by (cur_attribution 3.2, 5, 6.2). Null never equals anything, so text that says
-- nothing is null.

-- No provider has two accounts that differ by case. What is in front of an id says only what it is the id of: bills of Azure name a
-- subscription by its path, APIs by its id; those of Google a project. contracts/src/cloud_ids.rs says the same for bills.
CREATE TEMP MACRO canonical_account(account) AS
    CASE
        WHEN contains(account, '/') THEN regexp_replace(
            rtrim(lower(account), '/'),
            '^(/?subscriptions/|/providers/microsoft\.billing/billingaccounts/|(//cloudresourcemanager\.googleapis\.com/)?projects/'
            || '|(//cloudbilling\.googleapis\.com/)?billingaccounts/)',
            ''
        )
        ELSE lower(account)
    END;

-- Account ids of AWS that lost their leading zeros in a spreadsheet get them back.
CREATE TEMP MACRO padded_account(account, cloud) AS
    CASE
        WHEN coalesce(lower(trim(cloud)), '') IN ('', 'aws') AND regexp_full_match(trim(account), '[0-9]{1,11}')
            THEN lpad(trim(account), 12, '0')
        ELSE nullif(canonical_account(trim(account)), '')
    END;

CREATE TEMP MACRO is_arn(id) AS starts_with(id, 'arn:');

-- The path of a resource of Azure: it names subscription and resource, as an ARN does.
CREATE TEMP MACRO is_azure_path(id) AS
    starts_with(id, '/') AND (starts_with(lower(id), '/subscriptions/') OR starts_with(lower(id), '/providers/'));

-- A log group's ARN may end in `:*`, which says nothing. Azure compares ids without case, and spells them as it likes. Google names
-- a resource by its path, with the service or the address of its API in front.
CREATE TEMP MACRO canonical_id(id) AS
    CASE
        WHEN trim(id) = '' THEN NULL
        WHEN starts_with(trim(id), 'arn:') THEN
            CASE WHEN ends_with(trim(id), ':*') THEN left(trim(id), length(trim(id)) - 2) ELSE trim(id) END
        WHEN is_azure_path(trim(id)) THEN rtrim(lower(trim(id)), '/')
        WHEN contains(id, '.googleapis.com/') THEN regexp_replace(
            rtrim(trim(id), '/'), '^(//[a-z0-9-]+\.googleapis\.com/|https://[a-z0-9-]+\.googleapis\.com/([a-z0-9]+/)?(v[0-9]+|beta|alpha)[a-z0-9]*/)', ''
        )
        ELSE trim(id)
    END;

-- Unique by itself: `i-0abc…`, `vol-…`.
CREATE TEMP MACRO is_provider_id(id) AS regexp_full_match(id, '[a-z][a-z0-9]*-[0-9a-f]{8,}');

-- The part of an ARN after its account.
CREATE TEMP MACRO arn_rest(arn) AS regexp_extract(arn, '(?s)^arn:[^:]*:[^:]*:[^:]*:[^:]*:(.*)$', 1);

-- Its service. DuckDB 2.0.0 cannot compare `split_part` of a column that is all null with a constant.
CREATE TEMP MACRO arn_service(arn) AS string_split(arn, ':')[3];

-- The short id by service and the part after the account.
CREATE TEMP MACRO short_id_of(service, rest) AS
    nullif(
        CASE
            WHEN service = 's3' THEN split_part(rest, '/', 1)
            WHEN service = 'lambda' AND starts_with(rest, 'function:') THEN split_part(rest, ':', 2)
            WHEN service = 'logs' AND starts_with(rest, 'log-group:') THEN substr(rest, 11)
            WHEN service = 'elasticloadbalancing' AND starts_with(rest, 'loadbalancer/')
                AND string_split(rest, '/')[2] IN ('app', 'net', 'gwy')
                THEN split_part(rest, '/', 3)
            WHEN service = 'elasticloadbalancing' THEN split_part(rest, '/', 2)
            WHEN service = 'eks' AND starts_with(rest, 'nodegroup/') THEN split_part(rest, '/', 3)
            WHEN service = 'dynamodb' AND starts_with(rest, 'table/') THEN split_part(rest, '/', 2)
            WHEN contains(rest, '/') THEN split_part(rest, '/', -1)
            ELSE split_part(rest, ':', -1)
        END,
        ''
    );

-- The name by which people know what an ARN names; null for other text.
CREATE TEMP MACRO short_id(id) AS CASE WHEN is_arn(id) THEN short_id_of(arn_service(id), arn_rest(id)) END;

-- By which a resource is recognized as the one whose cost is split; '' for charges of none.
CREATE TEMP MACRO id_of_parent(id) AS coalesce(short_id(canonical_id(id)), canonical_id(id), '');

-- Names of closed lists and keys of tags are compared by their letters and digits.
CREATE TEMP MACRO canonical_key(name) AS regexp_replace(lower(name), '[^\p{L}\p{N}]', '', 'g');

-- What a usage type of AWS meters, whatever the type of the thing: `EBS:VolumeUsage` of `EBS:VolumeUsage.gp3`, `BoxUsage` of `BoxUsage:m6i.large`.
CREATE TEMP MACRO usage_family(usage_type) AS regexp_replace(usage_type, '(:[a-z0-9.-]+)?\.[A-Za-z0-9-]+$', '');

-- Null where a region says nothing. `West Europe` is how portals name `westeurope`.
CREATE TEMP MACRO canonical_region(region) AS nullif(nullif(replace(lower(trim(region)), ' ', ''), ''), 'global');

-- An unknown side is compatible with every other one.
CREATE TEMP MACRO is_compatible(one, other) AS one IS NULL OR other IS NULL OR one = other;

-- Exact sums that cannot overflow: whole units and fractions of a cost are added apart.
CREATE TEMP MACRO whole_units(cost) AS CAST(trunc(cost) AS HUGEINT);
CREATE TEMP MACRO fraction(cost) AS CAST(cost - trunc(cost) AS DECIMAL(38,12));

-- The nearest whole number, half-even.
CREATE TEMP MACRO half_even(amount) AS
    CAST(floor(amount) AS HUGEINT)
    + CASE
        WHEN amount - floor(amount) > 0.5 THEN 1
        WHEN amount - floor(amount) = 0.5 AND CAST(floor(amount) AS HUGEINT) % 2 <> 0 THEN 1
        ELSE 0
    END;

-- A sum in millionths, with all its digits; null when it has more than thirteen before the point, or is none.
CREATE TEMP MACRO in_millionths(whole, fractions) AS
    CASE
        WHEN abs(whole + whole_units(fractions)) <= 1000000000000
            THEN CAST(CAST(whole + whole_units(fractions) AS DECIMAL(20,0)) + fraction(fractions) AS DECIMAL(30,12))
                * CAST(1000000 AS DECIMAL(7,0))
    END;

-- So many millionths as an amount; null when it has more than twelve digits before the point.
CREATE TEMP MACRO amount_of_micros(micros) AS
    CASE
        WHEN abs(micros) < 1000000000000000000
            THEN CAST(CAST(micros AS DECIMAL(18,0)) * CAST(0.000001 AS DECIMAL(7,6)) AS DECIMAL(18,6))
    END;

-- A sum as an amount with six places; null when it is too large. Lists of one element: each step is computed once.
CREATE TEMP MACRO amount_of(whole, fractions) AS [
    amount_of_micros(micros)
    FOR micros IN [half_even(millionths) FOR millionths IN [in_millionths(whole, fractions)]]
][1];

-- A sum in whole millionths, half-even; null when it is too large.
CREATE TEMP MACRO micros_of(whole, fractions) AS [
    half_even(millionths) FOR millionths IN [in_millionths(whole, fractions)]
][1];

-- The nearest whole number to cost * wanted / measured, half-even; null when they are too large to be multiplied.
CREATE TEMP MACRO at_usage(cost, wanted, measured) AS
    CASE
        WHEN abs(cost) < 1000000000000000000 AND wanted < 1000000000000000000 THEN [
            sign(cost) * (
                product // measured
                + CASE
                    WHEN 2 * (product % measured) > measured THEN 1
                    WHEN 2 * (product % measured) = measured THEN (product // measured) % 2
                    ELSE 0
                END
            )
            FOR product IN [abs(cost) * wanted]
        ][1]
    END;

-- Whether a sum is no amount.
CREATE TEMP MACRO is_overflow(whole, fractions) AS whole IS NOT NULL AND amount_of(whole, fractions) IS NULL;
