//! What reservations of databases, caches and search would save.

use super::{Case, check};

#[test]
fn nodes_that_always_run_are_worth_a_reservation() {
    check(&[
        Case {
            name: "a database in one zone",
            why: "0.24 × 720 h = 172.80, a quarter of it",
            bill: "AmazonRDS InstanceUsage:db.r5.large db-1 0..720/1 cost=0.24 qty=1 op=CreateDBInstance:0002",
            findings: "reservation.gap db.r5 fail 43.20 172.80",
        },
        Case {
            name: "two sizes of a family, of which one ends and the other begins",
            why: "reservations of db.r5 for MySQL cover both sizes: 0.48 an hour until the 15th in the large one, then in two small ones: \
                  0.48 × 720 = 345.60, a quarter 86.40",
            bill: "
                AmazonRDS InstanceUsage:db.r5.xlarge db-1   0..360/1 cost=0.48 qty=1 op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.r5.large  db-2 360..720/1 cost=0.24 qty=1 op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.r5.large  db-3 360..720/1 cost=0.24 qty=1 op=CreateDBInstance:0002",
            findings: "reservation.gap db.r5 fail 86.40 345.60",
        },
        Case {
            name: "the same on search, whose reservations are for one type",
            why: "neither runs for three of four hours",
            bill: "
                AmazonES ESInstance:r5.xlarge s-1   0..360/1 cost=0.48 qty=1 op=ESDomain
                AmazonES ESInstance:r5.large  s-2 360..720/1 cost=0.48 qty=1 op=ESDomain",
            findings: "",
        },
        Case {
            name: "engines are no pool",
            why: "PostgreSQL by half of the month and MySQL by the other",
            bill: "
                AmazonRDS InstanceUsage:db.r5.large db-1   0..360/1 cost=0.24 qty=1 op=CreateDBInstance:0014
                AmazonRDS InstanceUsage:db.r5.large db-2 360..720/1 cost=0.24 qty=1 op=CreateDBInstance:0002",
            findings: "",
        },
        Case {
            name: "caches and a warehouse",
            why: "0.206 × 720 = 148.32 and 1.086 × 720 = 781.92, a quarter of each",
            bill: "
                AmazonElastiCache NodeUsage:cache.r6g.large c-1 0..720/24 cost=4.944 qty=24 op=CreateCacheCluster:0002
                AmazonRedshift    Node:ra3.xlplus           w-1 0..720/1  cost=1.086 qty=1  op=RunComputeNode:0001",
            findings: "
                reservation.gap cache.r6g fail 37.08 148.32
                reservation.gap ra3.xlplus fail 195.48 781.92",
        },
        Case {
            name: "the discount that the bill shows",
            why: "reserved nodes of the same kind cost 0.156 instead of 0.24: 35 % less. 172.80 × 0.35 = 60.48",
            bill: "
                AmazonRDS InstanceUsage:db.r5.large db-1 0..720/1 cost=0.24 qty=1 price=0.24 op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.r5.large db-2 0..720/1 cost=0 effective=0.156 qty=1 price=0.24 op=CreateDBInstance:0002 used=ri",
            findings: "reservation.gap db.r5 fail 60.48 172.80",
        },
        Case {
            name: "on day 8",
            why: "192 h so far: 46.08, in a month 172.80 and a quarter of it",
            bill: "AmazonRDS Multi-AZUsage:db.r5.large db-1 0..192/1 cost=0.24 qty=1 op=CreateDBInstance:0014",
            findings: "reservation.gap db.r5 fail 43.20 172.80",
        },
        Case {
            name: "by day only, refunded, and deleted",
            why: "12 hours a day do not pay; what was taken back is not saved again; what is deleted needs no reservation",
            bill: "
                AmazonRDS InstanceUsage:db.r5.large db-1 0..720/24 cost=2.88 qty=12 op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.m5.large db-2 0..720/1  cost=0.2  qty=1  op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.m5.large db-2 0..720/1  cost=-0.2 qty=-1 op=CreateDBInstance:0002
                AmazonRDS InstanceUsage:db.t3.large db-3 0..480/1  cost=0.1  qty=1  op=CreateDBInstance:0002",
            findings: "usage.negative AmazonRDS info - -",
        },
    ]);
}
