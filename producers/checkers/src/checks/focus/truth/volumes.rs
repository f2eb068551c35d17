//! Volumes with provisioned IOPS that gp3 gives for less.

use super::{Case, check};

#[test]
fn provisioned_iops_cost_less_as_gp3() {
    check(&[
        Case {
            name: "io1 of 500 GiB and 3,000 IOPS on day 8, in rows by the day",
            why: "500 × 0.125 + 3,000 × 0.065 = 257.50 a month; gp3 is 500 × 0.08 + 375 MiB/s × 0.04 = 55, its first 3,000 IOPS are \
                  included: 202.50",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..192/24 cost=2.083333333333 qty=16.666666666667
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..192/24 cost=6.5            qty=100",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 202.50 257.50",
        },
        Case {
            name: "the same of a whole month in rows by the hour",
            why: "as above",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..720/1 cost=0.086805555556 qty=0.694444444444
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..720/1 cost=0.270833333333 qty=4.166666666667",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 202.50 257.50",
        },
        Case {
            name: "the same at a discount of a tenth, in euros",
            why: "the discount is on gp3 as well: 257.50 and 202.50 less a tenth",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..720/24 cost=1.875 qty=16.666666666667 currency=EUR
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..720/24 cost=5.85  qty=100             currency=EUR",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 182.25 231.75",
        },
        Case {
            name: "half of it came back",
            why: "128.75 of 257.50 were refunded, and so half of the savings is left",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..720/24 cost=2.083333333333 qty=16.666666666667
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..720/24 cost=6.5            qty=100
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..24     cost=-128.75        qty=0 class=Correction",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 101.25 128.75",
        },
        Case {
            name: "a bill that shows the price of gp3",
            why: "0.09 of 0.125 per GiB: gp3 is 500 × 0.09 + 15 = 60, 197.50 less",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..720/24 cost=2.083333333333 qty=16.666666666667 price=0.125
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..720/24 cost=6.5            qty=100             price=0.065
                AmazonEC2 EBS:VolumeUsage.gp3    vol-2 0..720/24 cost=0.3            qty=3.333333333333  price=0.09",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 197.50 257.50",
        },
    ]);
}

#[test]
fn tiers_and_limits_of_io2() {
    check(&[
        Case {
            name: "io2 of 1,000 GiB and 40,000 IOPS in two tiers",
            why: "125 + 32,000 × 0.065 + 8,000 × 0.0455 = 2,569; gp3 is 80 + 37,000 × 0.005 + 1,875 MiB/s × 0.04 = 340: 2,229",
            bill: "
                AmazonEC2 EBS:VolumeUsage.io2        vol-1 0..720/24 cost=4.166666666667  qty=33.333333333333
                AmazonEC2 EBS:VolumeP-IOPS.io2       vol-1 0..720/24 cost=69.333333333333 qty=1066.666666666667
                AmazonEC2 EBS:VolumeP-IOPS.io2.tier2 vol-1 0..720/24 cost=12.133333333333 qty=266.666666666667",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 fail 2229.00 2569.00",
        },
        Case {
            name: "just not: 84,000 IOPS",
            why: "gp3 gives 80,000 at most: nothing is said",
            bill: "
                AmazonEC2 EBS:VolumeUsage.io2        vol-1 0..720/24 cost=4.166666666667  qty=33.333333333333
                AmazonEC2 EBS:VolumeP-IOPS.io2       vol-1 0..720/24 cost=69.333333333333 qty=1066.666666666667
                AmazonEC2 EBS:VolumeP-IOPS.io2.tier2 vol-1 0..720/24 cost=48.533333333333 qty=1066.666666666667
                AmazonEC2 EBS:VolumeP-IOPS.io2.tier3 vol-1 0..720/24 cost=21.233333333333 qty=666.666666666667",
            findings: "",
        },
        Case {
            name: "just not: 900 IOPS for each GiB",
            why: "gp3 gives 500 for each at most: 10 GiB get 5,000 of the 9,000",
            bill: "
                AmazonEC2 EBS:VolumeUsage.io2  vol-1 0..720/24 cost=0.041666666667 qty=0.333333333333
                AmazonEC2 EBS:VolumeP-IOPS.io2 vol-1 0..720/24 cost=19.5           qty=300",
            findings: "",
        },
        Case {
            name: "a bill that does not tell quantities",
            why: "size and IOPS are unknown, and so are the savings",
            bill: "
                AmazonEC2 EBS:VolumeUsage.io2  vol-1 0..720/24 cost=2 qty=?
                AmazonEC2 EBS:VolumeP-IOPS.io2 vol-1 0..720/24 cost=6 qty=?",
            findings: "ebs.provisioned.iops.to.gp3 vol-1 info - 240.00",
        },
        Case {
            name: "a volume that was deleted, and one that is gp3 since",
            why: "nothing is left to change",
            bill: "
                AmazonEC2 EBS:VolumeUsage.piops  vol-1 0..480/24   cost=2 qty=16
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-1 0..480/24   cost=6 qty=100
                AmazonEC2 EBS:VolumeUsage.piops  vol-2 0..480/24   cost=2 qty=16
                AmazonEC2 EBS:VolumeP-IOPS.piops vol-2 0..480/24   cost=6 qty=100
                AmazonEC2 EBS:VolumeUsage.gp3    vol-2 480..720/24 cost=1 qty=16",
            findings: "",
        },
    ]);
}
