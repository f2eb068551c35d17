//! Discounts lower what a thing costs, whether a bill has them inside its charges or as lines of their own.

use super::{Case, check};

#[test]
fn discounts_that_are_lines_of_their_own_lower_the_cost() {
    check(&[
        Case {
            name: "a volume at a discount of a fifth",
            why: "100 GB-months of gp2 at 0.10 are 10.00, less a fifth 8.00; gp3 is a fifth cheaper: 1.60",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.333333 qty=3.333333
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=-0.066667 qty=3.333333 of=discount",
            findings: "ebs.gp2.to.gp3 vol-1 fail 1.60 8.00",
        },
        Case {
            name: "an idle load balancer at a discount of a fifth",
            why: "720 hours at 0.0225 are 16.20, less a fifth 12.96; it does no work, so that all of it is saved",
            bill: "
                AWSELB LoadBalancerUsage lb-1 0..720/1 cost=0.0225 qty=1
                AWSELB LCUUsage lb-1 0..720/1 cost=0 qty=0
                AWSELB LoadBalancerUsage lb-1 0..720/1 cost=-0.0045 qty=1 of=discount",
            findings: "load.balancer.idle lb-1 fail 12.96 12.96",
        },
        Case {
            name: "steady compute at a discount of a fifth, in one line of the month",
            why: "720 hours at 0.096 are 69.12, less a fifth 55.30; a plan saves a quarter of that: 13.82",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096   qty=1 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-1 0..720   cost=-13.824 qty=720 op=RunInstances of=discount",
            findings: "compute.commitment.gap m5 fail 13.82 55.30",
        },
        Case {
            name: "an idle address at a discount of a fifth, under another operation",
            why: "720 hours at 0.005 are 3.60, less a fifth 2.88",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12   qty=24 op=AllocateAddressVPC
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=-0.024 qty=24 of=discount",
            findings: "ipv4.idle ip-1 fail 2.88 2.88",
        },
        Case {
            name: "a discount for the month on an address of its second half",
            why: "the discount is no usage: the address is charged for 360 hours, 1.80 less 0.36, which is 2.88 a month",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 360..720/24 cost=0.12 qty=24
                AmazonEC2 Other i-2 0..720/24 cost=0 qty=1
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720 cost=-0.36 qty=360 of=discount",
            findings: "ipv4.idle ip-1 fail 2.88 2.88",
        },
    ]);
}

#[test]
fn discounts_without_a_resource_are_those_of_their_usage() {
    check(&[
        Case {
            name: "a discount that names no resource",
            why: "a fifth of all idle addresses: 2.88 and 5.76",
            bill: "
                AmazonVPC PublicIPv4:IdleAddress ip-1 0..720/24 cost=0.12 qty=24
                AmazonVPC PublicIPv4:IdleAddress ip-2 0..720/24 cost=0.24 qty=48
                AmazonVPC PublicIPv4:IdleAddress - 0..720 cost=-2.16 qty=0 of=discount",
            findings: "
                ipv4.idle ip-1 fail 2.88 2.88
                ipv4.idle ip-2 fail 5.76 5.76",
        },
        Case {
            name: "compute without resources at a discount of a fifth",
            why: "the bill names no instance, and all of its hours are discounted: 55.30, of which a plan saves a quarter",
            bill: "
                AmazonEC2 BoxUsage:m5.large - 0..720/1 cost=0.096   qty=1 op=RunInstances
                AmazonEC2 BoxUsage:m5.large - 0..720/1 cost=-0.0192 qty=1 op=RunInstances of=discount",
            findings: "compute.commitment.gap m5 fail 13.82 55.30",
        },
        Case {
            name: "all of it discounted",
            why: "it costs nothing, and nothing is to be saved; a discount is no credit that masks it",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=0.333333 qty=3.333333
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..720/24 cost=-0.333333 qty=3.333333 of=discount",
            findings: "",
        },
    ]);
}
