//! Monthly means monthly, and only usage tells how far a month is.

use super::{Case, check};

#[test]
fn only_usage_tells_how_far_a_month_is() {
    check(&[
        Case {
            name: "a week",
            why: "168 h × 0.096 = 16.128 charged, a quarter of it 4.032; a month of 720 h is 69.12 and 17.28",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..168/1 cost=0.096 qty=1",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "a week beside a fee, a tax and a purchase of the month",
            why: "they are charged for all of the month on its first day, and change nothing",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..168/1 cost=0.096 qty=1
                AmazonEC2 HeavyUsage        -   0..720   cost=50 category=Purchase
                AmazonEC2 Tax               -   0..720   cost=3  category=Tax",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "a week beside usage that is charged by the month",
            why: "a hosted zone is usage, but one row of a month does not make the first week a whole month",
            bill: "
                AmazonEC2     BoxUsage:m5.large i-1  0..168/1 cost=0.096 qty=1
                AmazonRoute53 HostedZone        zone 0..720   cost=0.50  qty=1",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "the first hour beside usage that is charged by the month",
            why: "one hour shows nothing steady, and what it comes to in a month is no figure",
            bill: "
                AmazonEC2     BoxUsage:m5.large i-1  0..1   cost=0.096 qty=1
                AmazonRoute53 HostedZone        zone 0..720 cost=0.50  qty=1",
            findings: "",
        },
        Case {
            name: "six days are no week",
            why: "just not: 167 hours are fewer than hours_min",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..167/1 cost=0.096 qty=1",
            findings: "compute.commitment.gap m5 info - 69.12",
        },
        Case {
            name: "a bill by the month",
            why: "where all rows are of the month, they tell: 69.12 and a quarter of it",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720 cost=69.12 qty=720",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
    ]);
}

#[test]
fn an_unused_plan_costs_the_same_on_each_day() {
    check(&[
        Case {
            name: "an unused plan on day 7",
            why: "0.1 an hour is 72 a month, though 16.80 were charged; it is sunk, and no saving",
            bill: "ComputeSavingsPlans ComputeSP plan 0..168/1 cost=0 effective=0.1 unused=plan",
            findings: "commitment.unused plan fail - 72.00",
        },
        Case {
            name: "an unused plan of the whole month",
            why: "720 h × 0.1",
            bill: "ComputeSavingsPlans ComputeSP plan 0..720/1 cost=0 effective=0.1 unused=plan",
            findings: "commitment.unused plan fail - 72.00",
        },
        Case {
            name: "a plan that begins in the middle of the month",
            why: "360 h of 0.1 since it began are 72 in a month; the instance beside it shows the first half",
            bill: "
                ComputeSavingsPlans ComputeSP  plan 360..720/1 cost=0 effective=0.1 unused=plan
                AmazonEC2           Other      i-1  0..720/1 cost=0.01",
            findings: "commitment.unused plan fail - 72.00",
        },
        Case {
            name: "a plan whose term ended",
            why: "it was paid until day 15 and is not any more",
            bill: "
                ComputeSavingsPlans ComputeSP  plan 0..360/1 cost=0 effective=0.1 unused=plan
                AmazonEC2           Other      i-1  0..720/1 cost=0.01",
            findings: "",
        },
    ]);
}

#[test]
fn amounts_and_thresholds_are_those_of_a_month() {
    check(&[
        Case {
            name: "a NAT gateway on day 8",
            why: "80 GB in 192 h are 300 GB in 720 h, and 3.60 charged are 13.50: over the threshold of 100 GB",
            bill: "AmazonEC2 NatGateway-Bytes nat-1 0..192/1 cost=0.01875 qty=0.416666667",
            findings: "nat.data.processing nat-1 fail - 13.50",
        },
        Case {
            name: "the NAT gateway on day 30",
            why: "300 GB × 0.045",
            bill: "AmazonEC2 NatGateway-Bytes nat-1 0..720/24 cost=0.45 qty=10",
            findings: "nat.data.processing nat-1 fail - 13.50",
        },
        Case {
            name: "a NAT gateway below the threshold, on day 8",
            why: "just not: 26.6 GB in 192 h are 99.75 GB in 720 h",
            bill: "AmazonEC2 NatGateway-Bytes nat-1 0..192/24 cost=0.149625 qty=3.325",
            findings: "nat.data.processing nat-1 info - 4.49",
        },
        Case {
            name: "a NAT gateway that is two days old on day 8",
            why: "its hours begin at 144: 20 GB in 48 h are 300 GB in 720 h; charged 0.90, a month 13.50",
            bill: "
                AmazonEC2 NatGateway-Hours nat-1 144..192/1 cost=0.045 qty=1
                AmazonEC2 NatGateway-Bytes nat-1 144..192/1 cost=0.01875 qty=0.416666667
                AmazonEC2 Other            i-1   0..192/1   cost=0.01",
            findings: "nat.data.processing nat-1 fail - 13.50",
        },
        Case {
            name: "logs and transfer on day 8",
            why: "80 GB of logs are 300 GB for 150; transfer of 80 is 300, over the threshold of 100",
            bill: "
                AmazonCloudWatch DataProcessing-Bytes     group 0..192/24 cost=5  qty=10
                AmazonEC2        USE1-USW2-AWS-Out-Bytes  i-1   0..192/24 cost=10 qty=500",
            findings: "
                logs.ingestion group fail - 150.00
                transfer.cross.region cross-region fail - 300.00",
        },
        Case {
            name: "a volume of 100 GiB on day 8",
            why: "10 a month as gp2, 8 as gp3",
            bill: "AmazonEC2 EBS:VolumeUsage.gp2 vol-1 0..192/24 cost=0.333333333333 qty=3.333333333333",
            findings: "ebs.gp2.to.gp3 vol-1 fail 2.00 10.00",
        },
        Case {
            name: "a volume of 100 GiB that is two days old on day 8",
            why: "6.67 GB-months and 0.67 charged in 48 h are 100 GiB for 10 a month, of which gp3 saves 2",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp2 vol-1 144..192/1 cost=0.013888888889 qty=0.138888888889
                AmazonEC2 Other               i-1   0..192/1   cost=0.01",
            findings: "ebs.gp2.to.gp3 vol-1 fail 2.00 10.00",
        },
        Case {
            name: "credits on day 8",
            why: "10 a day of usage are 300 a month, of which credits pay a tenth: 30",
            bill: "
                AmazonEC2 Other i-1 0..192/24 cost=10
                AmazonEC2 Other -   0..192/24 cost=-1 category=Credit",
            findings: "credit.masking AmazonEC2 info - 30.00",
        },
    ]);
}
