//! Test environments that run around the clock, and what is not one.

use super::{Case, check};

#[test]
fn what_is_not_needed_at_night_can_be_stopped() {
    check(&[
        Case {
            name: "an instance of development, all month",
            why: "69.12 × (1 − 60 / 168) = 44.43; the rest is no base of a commitment",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 env=Dev",
            findings: "
                compute.commitment.gap m5 info - 69.12
                off.hours i-1 fail 44.43 69.12",
        },
        Case {
            name: "a database of staging since the 10th",
            why: "504 h of 0.24 so far, 172.80 a month: × 108 / 168 = 111.09",
            bill: "
                AmazonRDS InstanceUsage:db.r5.large db-1 216..720/1 cost=0.24 qty=1 op=CreateDBInstance:0002 env=non-prod
                AmazonEC2 Other                     i-2  0..720/1   cost=0.01",
            findings: "off.hours db-1 fail 111.09 172.80",
        },
        Case {
            name: "on a generation before",
            why: "m4 0.100 and m5 0.096: 2.88 by the move, and (72 − 2.88) × 108 / 168 = 44.43",
            bill: "
                AmazonEC2 BoxUsage:m4.large i-1 0..720/1 cost=0.1 qty=1 price=0.1 op=RunInstances env=qa
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "
                compute.commitment.gap m4 info - 72.00
                compute.generation.previous i-1 fail 2.88 72.00
                off.hours i-1 fail 44.43 72.00",
        },
        Case {
            name: "just not: 16 hours a day, in production, under a plan, or in rows by the day",
            why: "a quarter of 69.12 is the gap of the one in production, and of the one whose rows tell no night",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1  cost=0.096 qty=1 env=dev daily=16
                AmazonEC2 BoxUsage:c5.large i-2 0..720/1  cost=0.096 qty=1 env=production
                AmazonEC2 BoxUsage:r5.large i-3 0..720/1  cost=0 effective=0.07 qty=1 env=dev used=plan
                AmazonEC2 BoxUsage:m6i.large i-4 0..720/24 cost=2.304 qty=24 env=dev",
            findings: "
                compute.commitment.gap c5 fail 17.28 69.12
                compute.commitment.gap m5 info - 46.08
                compute.commitment.gap m6i fail 17.28 69.12",
        },
    ]);
}
