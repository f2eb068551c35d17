//! What a finding is about must be alive in the last 48 hours of the bill.

use super::{Case, check};

#[test]
fn small_findings_are_one() {
    check(&[
        Case {
            name: "30 volumes of 8 GiB",
            why: "0.80 a month each, of which gp3 saves 0.16: together 24.00 and 4.80",
            bill: "AmazonEC2 EBS:VolumeUsage.gp2 vol 0..720/24 cost=0.026666666667 qty=0.266666666667 copies=30",
            findings: "ebs.gp2.to.gp3 small-findings fail 4.80 24.00",
        },
        Case {
            name: "volumes of five hours each, all month long",
            why: "five of 1 GiB at a time cost 0.50 a month, of which gp3 saves 0.10, though 720 of them were charged",
            bill: "AmazonEC2 EBS:VolumeUsage.gp2 vol 0..720/5 cost=0.000694444444 qty=0.006944444444 copies=5 renew=5",
            findings: "ebs.gp2.to.gp3 small-findings fail 0.10 0.50",
        },
        Case {
            name: "under a cent",
            why: "two log groups of 0.004 a month are 0.008",
            bill: "
                AmazonCloudWatch DataProcessing-Bytes a 0..720 cost=0.004 qty=0.008
                AmazonCloudWatch DataProcessing-Bytes b 0..720 cost=0.004 qty=0.008",
            findings: "",
        },
    ]);
}

#[test]
fn what_has_ended_saves_nothing() {
    check(&[
        Case {
            name: "a released address",
            why: "it was idle for ten days and released: 3.60 a month are not paid any more",
            bill: "
                AmazonEC2 ElasticIP:IdleAddress ip-1 0..240/1 cost=0.005 qty=1
                AmazonEC2 Other                 i-1  0..720/1 cost=0.01",
            findings: "",
        },
        Case {
            name: "an address that is idle since the 20th",
            why: "0.005 × 720",
            bill: "
                AmazonEC2 ElasticIP:IdleAddress ip-1 480..720/1 cost=0.005 qty=1
                AmazonEC2 Other                 i-1  0..720/1   cost=0.01",
            findings: "ipv4.idle ip-1 fail 3.60 3.60",
        },
        Case {
            name: "in the last 48 hours, and just not",
            why: "the bill's last hour is 719: hour 672 is one of its last 48, hour 671 is not. 0.005 × 720 each",
            bill: "
                AmazonEC2 ElasticIP:IdleAddress ip-1 400..673/1 cost=0.005 qty=1
                AmazonEC2 ElasticIP:IdleAddress ip-2 400..672/1 cost=0.005 qty=1
                AmazonEC2 Other                 i-1  0..720/1   cost=0.01",
            findings: "ipv4.idle ip-1 fail 3.60 3.60",
        },
        Case {
            name: "volumes of five hours each that are deleted again",
            why: "300 of them, all deleted two days before the end: nothing is left to change",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol 0..600/5 cost=0.0694 qty=0.694 copies=3 renew=5
                AmazonEC2 Other               i-1 0..720/1 cost=0.01",
            findings: "",
        },
        Case {
            name: "a log group and a NAT gateway that were deleted",
            why: "300 GB each in the first ten days, and nothing since",
            bill: "
                AmazonCloudWatch DataProcessing-Bytes group 0..240/24 cost=15   qty=30
                AmazonCloudWatch Other                a     0..720/24 cost=0.01
                AmazonEC2        NatGateway-Bytes     nat-1 0..240/24 cost=1.35 qty=30
                AmazonEC2        Other                i-1   0..720/24 cost=0.01",
            findings: "",
        },
    ]);
}
