//! Reversals that name no resource take back charges of their account, region and service, and of a usage type where they name one.

use super::{Case, check};

#[test]
fn what_was_taken_back_without_a_name_is_not_saved() {
    check(&[
        Case {
            name: "usage of the month, charged below zero without a resource",
            why: "69.12 less 69.12; that it is not marked as a correction is said",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1
                AmazonEC2 BoxUsage:m5.large - 0..720 cost=-69.12 qty=-720",
            findings: "usage.negative AmazonEC2 info - -",
        },
        Case {
            name: "a refund of a usage type",
            why: "69.12 less 69.12; the volume is another usage type, and keeps its saving",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.333333 qty=3.333333
                AmazonEC2 BoxUsage:m5.large - 0..720 cost=-69.12 qty=? category=Adjustment class=Correction",
            findings: "ebs.gp2.to.gp3 vol-1 fail 2.00 10.00",
        },
        Case {
            name: "a refund of a service",
            why: "69.12 less 69.12",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1
                AmazonEC2 - - 0..720 cost=-69.12 qty=? category=Adjustment class=Correction",
            findings: "",
        },
        Case {
            name: "a refund of half a service, over several usage types",
            why: "10.00 + 69.12 + 20.88 are 100.00, of which half came back: the volume's 10.00 are 5.00, of which gp3 saves a fifth, and m5's                   69.12 are 34.56, of which a plan saves a quarter",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.333333 qty=3.33333
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1
                AmazonEC2 Other other-1 0..720 cost=20.88 qty=1
                AmazonEC2 - - 0..720 cost=-50 qty=? category=Adjustment class=Correction",
            findings: "
                compute.commitment.gap m5 fail 8.64 34.56
                ebs.gp2.to.gp3 vol-1 fail 1.00 5.00",
        },
    ]);
}

#[test]
fn reversals_take_back_no_more_than_was_charged_where_they_are() {
    check(&[
        Case {
            name: "a refund of more than was charged",
            why: "nothing is left, and no more than that",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
                AmazonVPC PublicIPv4:IdleAddress - 0..720 cost=-100 category=Adjustment class=Correction",
            findings: "",
        },
        Case {
            name: "refunds of a usage type and of all that is left",
            why: "7.20 idle less 3.60 are 3.60; with 16.40 in use 20.00 are left, of which the refund of 10.00 takes half: 1.80 of idle                   addresses, and 8.20 of those in use",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.24 qty=48
                AmazonVPC PublicIPv4:InUseAddress ip-2 0..720 cost=16.40 qty=720
                AmazonVPC PublicIPv4:IdleAddress - 0..720 cost=-3.60 category=Adjustment
                AmazonVPC - - 0..720 cost=-10 category=Adjustment",
            findings: "
                ipv4.idle ip-1 fail 1.80 1.80
                ipv4.in.use in-use info - 8.20",
        },
        Case {
            name: "refunds of other places",
            why: "another region, account, service and month: nothing of the 3.60 came back",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
                AmazonVPC - - 0..720 cost=-3.60 category=Adjustment region=eu-west-1
                AmazonVPC - - 0..720 cost=-3.60 category=Adjustment account=444455556666
                AmazonEC2 - - 0..720 cost=-3.60 category=Adjustment
                AmazonVPC - - -48..-24 cost=-3.60 category=Adjustment",
            findings: "ipv4.idle ip-1 fail 3.60 3.60",
        },
        Case {
            name: "a refund that names no region",
            why: "half of the 7.20 of both regions",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
                AmazonVPC PublicIPv4:IdleAddress ip-2 0..720/24 cost=0.12 qty=24 region=eu-west-1
                AmazonVPC - - 0..720 cost=-3.60 category=Adjustment region=-",
            findings: "
                ipv4.idle ip-1 fail 1.80 1.80
                ipv4.idle ip-2 fail 1.80 1.80",
        },
    ]);
}
