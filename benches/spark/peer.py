"""Spark Structured Streaming over the same topic: from_json, the contract's required fields and enums, two hashes, Parquet
by tenant and day. A peer for the Kafka benchmark, not a second implementation: no violations, dead letters, canonical form
or exactly-once rows.

    python peer.py BROKERS FOLDER JARS CORES

JARS is the folder that pom.xml filled. Prints wall and CPU seconds and the highest resident memory of the whole process
tree. pyspark 4.0.0.
"""

import os
import sys
import threading
import time
from pathlib import Path

from pyspark.sql import SparkSession
from pyspark.sql import functions as F

SCHEMA = """
tenant_id STRING, workspace_id STRING, run_id STRING, run_ts STRING, engine_name STRING, engine_version STRING,
rulepack_version STRING, schema_version INT, default_currency STRING, checker_id STRING, check_id STRING, check_name STRING,
category STRING, sub_category STRING, frameworks ARRAY<STRING>, status STRING, severity STRUCT<level: STRING, score: INT>,
priority INT, title STRING, message STRING, advice STRING, remediation STRING,
links ARRAY<STRUCT<label: STRING, url: STRING>>,
scope STRUCT<cloud: STRING, provider_partition: STRING, organization_id: STRING, billing_account_id: STRING,
  account_id: STRING, region: STRING, availability_zone: STRING, service: STRING, resource_type: STRING,
  resource_id: STRING, resource_arn: STRING>,
issue_key MAP<STRING, STRING>,
estimated STRUCT<monthly_savings: DECIMAL(18, 6), monthly_cost: DECIMAL(18, 6), one_time_savings: STRING,
  confidence: STRING, notes: STRING>,
tags MAP<STRING, STRING>, labels MAP<STRING, STRING>, dimensions MAP<STRING, STRING>, metrics MAP<STRING, DECIMAL(18, 6)>,
metadata_json STRING
"""
REQUIRED = ["tenant_id", "workspace_id", "run_id", "run_ts", "check_id", "check_name", "category", "status", "title",
            "scope.cloud", "scope.account_id", "scope.region", "scope.service", "severity.level"]


def tree(root):
    """Ids of a process and all its children."""
    parents = {}
    for stat in Path("/proc").glob("[0-9]*/stat"):
        try:
            fields = stat.read_text().rsplit(")", 1)[1].split()
        except OSError:
            continue
        parents.setdefault(int(fields[1]), []).append(int(stat.parent.name))
    found, todo = [], [root]
    while todo:
        found.append(todo.pop())
        todo.extend(parents.get(found[-1], []))
    return found


def cpu_seconds(ids):
    ticks = 0
    for process in ids:
        fields = Path(f"/proc/{process}/stat").read_text().rsplit(")", 1)[1].split()
        ticks += int(fields[11]) + int(fields[12])
    return ticks / os.sysconf("SC_CLK_TCK")


def resident_mib(ids):
    pages = 0
    for process in ids:
        try:
            pages += int(Path(f"/proc/{process}/statm").read_text().split()[1])
        except OSError:  # It has ended.
            continue
    return pages * os.sysconf("SC_PAGE_SIZE") >> 20


def main(brokers, folder, jars, cores):
    jars = ",".join(str(jar) for jar in sorted(Path(jars).glob("*.jar")))
    spark = (
        SparkSession.builder.master(f"local[{cores}]")
        .config("spark.jars", jars)
        .config("spark.driver.memory", "4g")
        .config("spark.sql.shuffle.partitions", cores)
        .config("spark.sql.session.timeZone", "UTC")
        .config("spark.sql.parquet.compression.codec", "zstd")
        .config("spark.ui.enabled", "false")
        .getOrCreate()
    )
    spark.sparkContext.setLogLevel("ERROR")
    peak, done = [0], threading.Event()

    def watch():
        while not done.wait(0.2):
            peak[0] = max(peak[0], resident_mib(tree(os.getpid())))

    watcher = threading.Thread(target=watch)
    watcher.start()
    wire = (
        spark.readStream.format("kafka")
        .option("kafka.bootstrap.servers", brokers)
        .option("subscribe", "finops.findings.wire")
        .option("startingOffsets", "earliest")
        .option("kafka.isolation.level", "read_committed")
        .load()
    )
    finding = wire.select(F.from_json(F.col("value").cast("string"), SCHEMA).alias("f")).select("f.*")
    valid = finding.where(
        " AND ".join(f"{name} IS NOT NULL AND {name} <> ''" for name in REQUIRED)
        + " AND status IN ('pass', 'fail', 'info', 'unknown')"
        + " AND severity.level IN ('info', 'low', 'medium', 'high', 'critical')"
        + " AND severity.score BETWEEN 0 AND 1000"
    )
    scope = [F.lower(F.col(f"scope.{name}")) for name in
             ("cloud", "account_id", "region", "service", "resource_type", "resource_id", "resource_arn")]
    fingerprint = F.sha2(F.concat_ws("|", "tenant_id", "check_id", *scope, F.to_json("issue_key")), 256)
    rows = (
        valid.withColumn("run_ts", F.to_timestamp("run_ts"))
        .withColumn("fingerprint", fingerprint)
        .withColumn("finding_id", F.sha2(F.concat_ws("|", "tenant_id", "fingerprint"), 256))
        .withColumn("run_date", F.to_date("run_ts"))
    )
    before, started = cpu_seconds(tree(os.getpid())), time.monotonic()
    query = (
        rows.writeStream.format("parquet")
        .partitionBy("tenant_id", "run_date")
        .option("path", f"{folder}/out")
        .option("checkpointLocation", f"{folder}/checkpoint")
        .trigger(availableNow=True)
        .start()
    )
    query.awaitTermination()
    wall, cpu = time.monotonic() - started, cpu_seconds(tree(os.getpid())) - before
    done.set()
    watcher.join()
    written = spark.read.parquet(f"{folder}/out").count()
    print(f"{written} rows; {wall:.1f} s wall, {cpu:.1f} CPU-seconds, "
          f"{cpu * 1e6 / written:.1f} CPU-seconds per million, {peak[0]} MiB resident at most", flush=True)
    spark.stop()


if __name__ == "__main__":
    main(*sys.argv[1:])
