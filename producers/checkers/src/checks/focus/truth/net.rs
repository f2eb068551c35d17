//! Savings never exceed the net cost, and two findings never claim the same money.

use super::{Case, check};

#[test]
fn what_was_taken_back_is_not_saved_once_more() {
    check(&[
        Case {
            name: "a reversed instance",
            why: "+1000 and −1000 on one instance are nothing: no cost, no savings. The reversal is not marked as a correction, which is said",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=33.333333 qty=24
                AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=-33.333333 qty=-24",
            findings: "usage.negative AmazonEC2 info - -",
        },
        Case {
            name: "a reversed instance, marked as a correction",
            why: "the same, in one row of the month",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720 cost=1000  qty=720
                AmazonEC2 BoxUsage:m5.large i-1 0..720 cost=-1000 qty=-720 class=Correction",
            findings: "",
        },
        Case {
            name: "a volume of which half was refunded",
            why: "10 less 5 were charged: gp3 saves a fifth of 5",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720 cost=10 qty=100
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720 cost=-5 class=Correction",
            findings: "ebs.gp2.to.gp3 vol-1 fail 1.00 5.00",
        },
        Case {
            name: "an idle address that was refunded by an adjustment",
            why: "3.60 less 3.60",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..24 cost=-3.6 category=Adjustment",
            findings: "",
        },
        Case {
            name: "a refund of an earlier month",
            why: "August was settled in September's bill: this month's 69.12 are charged all the same, and it is no error of the bill",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1    cost=0.096 qty=1
                AmazonEC2 BoxUsage:m5.large i-1 -200..-100  cost=-20   qty=-200 class=Correction
                AmazonEC2 BoxUsage:m5.large i-1 -200..-100  cost=-20   qty=-200",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "reversed data of a NAT gateway",
            why: "300 GB for 13.50, of which 10.00 came back: 3.50 are left",
            bill: "
                AmazonEC2 NatGateway-Bytes nat-1 0..720/24 cost=0.45 qty=10
                AmazonEC2 NatGateway-Bytes nat-1 0..24     cost=-10 qty=0 class=Correction",
            findings: "nat.data.processing nat-1 fail - 3.50",
        },
    ]);
}

#[test]
fn findings_of_one_resource_share_its_cost() {
    check(&[
        Case {
            name: "a previous generation without a commitment",
            why: "m4.large 0.10 × 720 = 72; m5.large would be 69.12, so 2.88 are saved by moving; a plan then saves a quarter of the 69.12 \
                  that are left: 17.28, together 20.16",
            bill: "
                AmazonEC2 BoxUsage:m4.large i-1 0..720/1 cost=0.10 qty=1 price=0.10 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "
                compute.commitment.gap m4 fail 17.28 72.00
                compute.generation.previous i-1 fail 2.88 72.00",
        },
        Case {
            name: "the same with a discount of a fifth",
            why: "57.60 are paid; m5.large at the same discount is 55.296, 2.30 less; a quarter of that is 13.82",
            bill: "
                AmazonEC2 BoxUsage:m4.large i-1 0..720/1 cost=0.08 qty=1 price=0.10 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "
                compute.commitment.gap m4 fail 13.82 57.60
                compute.generation.previous i-1 fail 2.30 57.60",
        },
    ]);
}
