"""Plain DuckDB SQL that makes cost facts of the synthetic bill: the peer of `bench bills`, not a second implementation. It does
less: no digest of the file, no refused rows by reason and place, no totals, no sample by which a restatement is known, no inventory
for checkers, no manifest.

    python peer.py BILL FACTS [THREADS]

Prints wall and CPU seconds and the highest resident memory. duckdb 2.0.1.
"""

import resource
import sys
import time

import duckdb

bill, facts, threads = sys.argv[1], sys.argv[2], int(sys.argv[3]) if len(sys.argv) > 3 else 1
is_csv = bill.endswith(".csv")


def tags():
    pairs = "map_entries(resource_tags)"
    if is_csv:
        pairs = """list_transform(json_keys(resource_tags), lambda k: {'key': k, 'value': json_extract_string(resource_tags, '$."' || k || '"')})"""
    kept = f"list_filter({pairs}, lambda e: e.value IS NOT NULL AND e.value <> '')"
    return f"map_from_entries(list_transform({kept}, lambda e: {{'key': regexp_replace(e.key, '^(resourceTags/)?(user[:_])?', ''), 'value': e.value}}))"


region = "json_extract_string(product, '$.region')" if is_csv else "product['region']"
read = f"read_csv('{bill}', all_varchar = true)" if is_csv else f"read_parquet('{bill}')"
U = "TRY_CAST(line_item_unblended_cost AS DECIMAL(38, 12))"


def cost(column):
    return f"TRY_CAST(nullif({column}::VARCHAR, '') AS DECIMAL(38, 12))"


FAMILIES = {
    "amazonec2": "ec2", "amazons3": "s3", "amazonrds": "rds", "awslambda": "lambda", "amazoncloudwatch": "cloudwatch",
    "amazonvpc": "vpc", "awselb": "elb", "amazonecs": "ecs", "amazoneks": "eks", "amazonefs": "efs", "amazonfsx": "fsx",
    "awsbackup": "backup", "amazoncloudfront": "cloudfront", "amazondynamodb": "dynamodb",
}
family_of = "MAP {" + ", ".join(f"'{name}': '{family}'" for name, family in FAMILIES.items()) + "}"
service = "lower(regexp_replace(line_item_product_code, '[^A-Za-z0-9]', '', 'g'))"

SELECT = f"""
SELECT
  'bench' AS tenant_id, 'cur2' AS source_format,
  strftime(bill_billing_period_start_date::TIMESTAMP, '%Y-%m') AS billing_period,
  bill_billing_period_start_date::TIMESTAMP AS billing_period_start,
  bill_billing_period_end_date::TIMESTAMP AS billing_period_end,
  line_item_usage_start_date::TIMESTAMP AS usage_start, line_item_usage_end_date::TIMESTAMP AS usage_end,
  lpad(trim(bill_payer_account_id), 12, '0') AS payer_account_id,
  lpad(trim(line_item_usage_account_id), 12, '0') AS account_id,
  lower(coalesce(nullif(trim(product_region_code), ''), {region},
    regexp_extract(lower(line_item_availability_zone), '^([a-z]{{2}}(?:-[a-z]+)+-[0-9]+)', 1))) AS region,
  coalesce(nullif(trim(line_item_product_code), ''), product_servicecode) AS service_code,
  coalesce({family_of}[{service}], {service}) AS service,
  nullif(trim(line_item_resource_id), '') AS resource_id, line_item_line_item_type AS line_item_type,
  CASE WHEN line_item_line_item_type IN ('Fee', 'RIFee', 'SavingsPlanRecurringFee', 'SavingsPlanUpfrontFee') THEN 'Purchase'
    WHEN line_item_line_item_type = 'Tax' THEN 'Tax'
    WHEN line_item_line_item_type IN ('Credit', 'EdpDiscount', 'PrivateRateDiscount', 'BundledDiscount', 'Discount') THEN 'Credit'
    WHEN line_item_line_item_type = 'Refund' THEN 'Adjustment' ELSE 'Usage' END AS charge_category,
  line_item_line_item_type = 'Refund' AS is_correction,
  nullif(trim(line_item_usage_type), '') AS usage_type, nullif(trim(line_item_operation), '') AS operation,
  coalesce(nullif(trim(reservation_reservation_a_r_n), ''), nullif(trim(savings_plan_savings_plan_a_r_n), '')) AS commitment_id,
  NULL::VARCHAR AS commitment_status, upper(coalesce(nullif(trim(line_item_currency_code), ''), 'USD')) AS currency,
  {cost('line_item_unblended_cost')} AS cost_unblended,
  coalesce({cost('line_item_net_unblended_cost')}, {U}) AS cost_net,
  CASE line_item_line_item_type
    WHEN 'DiscountedUsage' THEN coalesce({cost('reservation_effective_cost')}, {U})
    WHEN 'SavingsPlanCoveredUsage' THEN coalesce({cost('savings_plan_savings_plan_effective_cost')}, {U})
    WHEN 'SavingsPlanNegation' THEN 0 WHEN 'SavingsPlanUpfrontFee' THEN 0
    WHEN 'SavingsPlanRecurringFee' THEN
      {cost('savings_plan_total_commitment_to_date')} - coalesce({cost('savings_plan_used_commitment')}, 0)
    ELSE {U} END AS cost_amortized,
  coalesce({cost('line_item_blended_cost')}, {U}) AS cost_blended,
  false AS model_fallback, nullif(trim(line_item_currency_code), '') IS NULL AS currency_defaulted, false AS unknown_type,
  {tags()} AS tags, 'bill' AS source_ref
FROM {read}
WHERE line_item_usage_start_date IS NOT NULL AND {U} IS NOT NULL AND line_item_usage_account_id IS NOT NULL
"""

connection = duckdb.connect(config={"threads": threads, "preserve_insertion_order": False})
connection.execute("SET TimeZone = 'UTC'")
wall, cpu = time.monotonic(), time.process_time()
(rows,) = connection.execute(f"COPY ({SELECT}) TO '{facts}' (FORMAT parquet, COMPRESSION zstd, COMPRESSION_LEVEL 1)").fetchone()
wall, cpu = time.monotonic() - wall, time.process_time() - cpu
resident = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss // 1024
print(f"{bill}: {rows} lines, {rows / cpu:.0f} a CPU-second, {rows / wall:.0f} a second, {resident} MiB resident at most, {threads} threads")
