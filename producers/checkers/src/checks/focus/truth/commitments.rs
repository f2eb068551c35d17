//! What a commitment would save: licences are not discounted, steadiness is quantity by hours, and a fleet is judged as a pool.

use super::{Case, check};

#[test]
fn licences_are_not_discounted() {
    check(&[
        Case {
            name: "Linux",
            why: "m5.large 0.096 × 720 h = 69.12; a quarter is 17.28",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "Windows",
            why: "0.188 an hour, of which 2 × 0.046 are the licence: 0.096 are discounted",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.188 qty=1 price=0.188 op=RunInstances:0002",
            findings: "compute.commitment.gap m5 fail 17.28 135.36",
        },
        Case {
            name: "Windows with SQL Server Standard",
            why: "0.668 an hour, of which 2 × 0.046 and 4 × 0.12 are licences",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.668 qty=1 price=0.668 op=RunInstances:0006",
            findings: "compute.commitment.gap m5 fail 17.28 480.96",
        },
        Case {
            name: "a Windows licence of the customer",
            why: "the price is that of Linux, and so is the discount",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances:0800",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "Windows at a discount of a tenth",
            why: "0.1692 are paid, of which 96 / 188 are the instance: 0.0864 × 720 × 0.25",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.1692 qty=1 price=0.188 op=RunInstances:0002",
            findings: "compute.commitment.gap m5 fail 15.55 121.82",
        },
        Case {
            name: "RHEL whose Linux price the bill shows",
            why: "0.1248 an hour, and Linux of the same type is 0.096 in this bill",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.1248 qty=1 price=0.1248 op=RunInstances:0010
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "compute.commitment.gap m5 fail 17.28 89.86",
        },
        Case {
            name: "RHEL alone",
            why: "0.1248 an hour, of which 2 × 0.0144 are the subscription",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.1248 qty=1 price=0.1248 op=RunInstances:0010",
            findings: "compute.commitment.gap m5 fail 17.28 89.86",
        },
        Case {
            name: "SUSE whose Linux price nothing shows",
            why: "what of it is the instance is unknown: nothing is claimed",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.152 qty=1 price=0.152 op=RunInstances:000g",
            findings: "compute.commitment.gap m5 info - 109.44",
        },
        Case {
            name: "Windows on the generation before",
            why: "m4.large with Windows 0.192, its Linux part 0.192 − 0.092 = 0.100. A move to m5 saves 0.004 × 720 = 2.88, and a \
                  commitment to the rest of the Linux part 0.096 × 720 × 0.25 = 17.28: together 20.16",
            bill: "
                AmazonEC2 BoxUsage:m4.large i-1 0..720/1 cost=0.192 qty=1 price=0.192 op=RunInstances:0002
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 qty=1 price=0.188 op=RunInstances:0002 used=plan",
            findings: "
                compute.commitment.gap m4 fail 17.28 138.24
                compute.generation.previous i-1 fail 2.88 138.24",
        },
        Case {
            name: "Windows in euros",
            why: "the licence is known in dollars only: nothing is claimed",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.17 qty=1 op=RunInstances:0002 currency=EUR",
            findings: "compute.commitment.gap m5 info - 122.40",
        },
    ]);
}

#[test]
fn quantity_by_hours_decides_what_is_steady() {
    check(&[
        Case {
            name: "8 hours a day in rows by the day",
            why: "each row covers 24 hours and charges 8: a commitment would be paid for 24. 23.04 cost, nothing saved",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=0.768 qty=8",
            findings: "compute.commitment.gap m5 info - 23.04",
        },
        Case {
            name: "24 hours a day in rows by the day",
            why: "69.12, a quarter of it",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=2.304 qty=24",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "20 hours a day in rows by the day",
            why: "57.60 cost. 0.096 × 600 h − 0.096 × 0.75 × 720 h = 57.60 − 51.84: 5.76, as in rows by the hour",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=1.92 qty=20",
            findings: "compute.commitment.gap m5 fail 5.76 57.60",
        },
        Case {
            name: "20 hours a day in rows by the hour, with another service to the end of the month",
            why: "the nights of the last day are shown, too. The functions cost 7.20, of which a plan takes 12 % off",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..716/1 cost=0.096 qty=1 daily=20
                AWSLambda Lambda-GB-Second  f   0..720/1 cost=0.01",
            findings: "
                compute.commitment.gap m5 fail 5.76 57.60
                compute.commitment.gap small-findings fail 0.86 7.20",
        },
        Case {
            name: "rows that do not tell their quantity",
            why: "nothing shows how long it ran",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/24 cost=2.304 qty=?",
            findings: "compute.commitment.gap m5 info - 69.12",
        },
        Case {
            name: "four of five hours in rows by the hour",
            why: "576 of 720 h: 55.296 charged, 0.096 × 0.75 × 720 = 51.84 for a commitment: 3.46. It runs since the 7th: 69.12 a month",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 144..720/1 cost=0.096 qty=1
                AmazonEC2 Other             i-2 0..720/1 cost=0.01",
            findings: "compute.commitment.gap m5 fail 3.46 69.12",
        },
        Case {
            name: "just not: three of four hours",
            why: "540 of 720 h: 51.84 charged, and as much for a commitment. It runs since the 8th: 69.12 a month",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 180..720/1 cost=0.096 qty=1
                AmazonEC2 Other             i-2 0..720/1 cost=0.01",
            findings: "compute.commitment.gap m5 info - 69.12",
        },
    ]);
}

#[test]
fn a_fleet_is_judged_as_a_pool() {
    check(&[
        Case {
            name: "ten instances that are replaced each day",
            why: "10 × 0.096 × 720 h = 691.20, a quarter of it 172.80, though none of the 300 lives longer than a day",
            bill: "AmazonEC2 BoxUsage:m5.large i 0..720/24 cost=2.304 qty=24 copies=10 renew=24",
            findings: "compute.commitment.gap m5 fail 172.80 691.20",
        },
        Case {
            name: "the same in rows by the hour",
            why: "as above",
            bill: "AmazonEC2 BoxUsage:m5.large i 0..720/1 cost=0.096 qty=1 copies=10 renew=24",
            findings: "compute.commitment.gap m5 fail 172.80 691.20",
        },
        Case {
            name: "the same, replaced at noon, in rows by the day",
            why: "each lives from noon to noon: 12 hours on each of two days",
            bill: "
                AmazonEC2 BoxUsage:m5.large a  0..24/24   cost=1.152 qty=12 copies=10
                AmazonEC2 BoxUsage:m5.large i  0..672/24  cost=1.152 qty=12 copies=10 renew=48
                AmazonEC2 BoxUsage:m5.large j 24..696/24  cost=1.152 qty=12 copies=10 renew=48
                AmazonEC2 BoxUsage:m5.large k 672..720/24 cost=1.152 qty=12 copies=10
                AmazonEC2 BoxUsage:m5.large z 696..720/24 cost=1.152 qty=12 copies=10",
            findings: "compute.commitment.gap m5 fail 172.80 691.20",
        },
        Case {
            name: "no resource in rows by the hour",
            why: "ten run in each hour, whichever they are",
            bill: "AmazonEC2 BoxUsage:m5.large - 0..720/1 cost=0.96 qty=10",
            findings: "compute.commitment.gap m5 fail 172.80 691.20",
        },
        Case {
            name: "no resource, ten by day and two by night",
            why: "the base is 2: 0.192 × 720 × 0.25 = 34.56. 0.192 × 720 + 0.768 × 360 = 414.72",
            bill: "
                AmazonEC2 BoxUsage:m5.large - 0..720/1 cost=0.192 qty=2
                AmazonEC2 BoxUsage:m5.large - 0..720/1 cost=0.768 qty=8 daily=12",
            findings: "compute.commitment.gap m5 fail 34.56 414.72",
        },
        Case {
            name: "commitments that float over ten instances, in rows by the day",
            why: "each runs 24 hours a day, 12 of them on demand: half of 691.20, a quarter of that is 86.40",
            bill: "
                AmazonEC2 BoxUsage:m5.large i 0..720/24 cost=1.152 qty=12 copies=10
                AmazonEC2 BoxUsage:m5.large i 0..720/24 cost=0 effective=0.6 qty=12 used=ri copies=10",
            findings: "compute.commitment.gap m5 fail 86.40 345.60",
        },
        Case {
            name: "a fleet of which a part runs by day",
            why: "2 always and 3 more for a half of the month: the base is 2, 2 × 69.12 × 0.25 = 34.56 of 345.60 − 103.68 … 241.92 charged",
            bill: "
                AmazonEC2 BoxUsage:m5.large i 0..720/1   cost=0.096 qty=1 copies=2 renew=24
                AmazonEC2 BoxUsage:m5.large j 360..720/1 cost=0.096 qty=1 copies=3 renew=24",
            findings: "compute.commitment.gap m5 fail 34.56 241.92",
        },
        Case {
            name: "a fleet that was shut down",
            why: "ten instances until day 20: 460.80 were charged, nothing is left to commit to, and nothing costs anything any more",
            bill: "
                AmazonEC2 BoxUsage:m5.large i   0..480/24 cost=2.304 qty=24 copies=10 renew=24
                AmazonEC2 Other             i-2 0..720/24 cost=0.24",
            findings: "",
        },
        Case {
            name: "a purchase is sunk, and covered usage needs none",
            why: "used under a plan",
            bill: "AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0 effective=0.07 qty=1 used=plan",
            findings: "",
        },
    ]);
}

#[test]
fn a_plan_follows_what_moves() {
    check(&[
        Case {
            name: "a pool that moved from one family to the next at half of the month",
            why: "neither family ran for three of four hours. Together 0.096 an hour in all 720: 69.12, a quarter of it by a plan",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1   0..360/1 cost=0.096 qty=1
                AmazonEC2 BoxUsage:m6i.large i-2 360..720/1 cost=0.096 qty=1",
            findings: "
                compute.commitment.gap m6i info - 69.12
                compute.plan.gap compute fail 17.28 69.12",
        },
        Case {
            name: "two accounts that take turns, beside a steady base",
            why: "c5 is a base of its own: 0.085 × 720 × 0.25 = 15.30. The m5 of one account by day and of the other by night are 0.096 × 720 \
                  × 0.25 = 17.28 for a plan of the payer. 61.20 + 2 × 34.56 = 130.32",
            bill: "
                AmazonEC2 BoxUsage:c5.large i-1 0..720/1 cost=0.085 qty=1
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0.096 qty=1 daily=12
                AmazonEC2 BoxUsage:m5.large i-3 0..720/1 cost=0.096 qty=1 nightly=12 account=222233334444",
            findings: "
                compute.commitment.gap c5 fail 15.30 61.20
                compute.commitment.gap m5 info - 34.56
                compute.commitment.gap m5 info - 34.56
                compute.plan.gap compute fail 17.28 130.32",
        },
    ]);
}

#[test]
fn rows_of_a_whole_month_end_with_the_bill() {
    check(&[
        Case {
            name: "a row of the month among rows by the hour, on day 8",
            why: "both ran for the 168 hours that the bill shows: 2 × 69.12 a month, a quarter less",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..168/1 cost=0.096  qty=1   price=0.096 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720   cost=16.128 qty=168 price=0.096 op=RunInstances",
            findings: "compute.commitment.gap m5 fail 34.56 138.24",
        },
        Case {
            name: "the same of a whole month",
            why: "as above",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1   price=0.096 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720   cost=69.12 qty=720 price=0.096 op=RunInstances",
            findings: "compute.commitment.gap m5 fail 34.56 138.24",
        },
        Case {
            name: "a row of the month that is for more than the other rows show",
            why: "720 hours were charged, whatever the volume of one day shows: 69.12 a month. A day tells of nothing steady",
            bill: "
                AmazonEC2 EBS:VolumeUsage.gp3   vol-1 0..24  cost=0.1   qty=1 price=0.1
                AmazonEC2 BoxUsage:m5.large     i-2   0..720 cost=69.12 qty=720 price=0.096 op=RunInstances",
            findings: "compute.commitment.gap m5 info - 69.12",
        },
    ]);
}

#[test]
fn the_discount_is_that_of_the_commitments_in_the_bill() {
    check(&[
        Case {
            name: "a plan that takes 30 % off",
            why: "0.0672 of 0.096 is paid for covered hours, 70 %: 69.12 × 0.3 = 20.74",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 effective=0.0672 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "compute.commitment.gap m5 fail 20.74 69.12",
        },
        Case {
            name: "the same where a tenth is off on demand",
            why: "62.21 are paid now, and 70 % of the public 69.12 are 48.38: 13.82 less",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.0864 qty=1 price=0.096 op=RunInstances
                AmazonEC2 BoxUsage:m5.large i-2 0..720/1 cost=0 effective=0.0672 qty=1 price=0.096 op=RunInstances used=plan",
            findings: "compute.commitment.gap m5 fail 13.82 62.21",
        },
        Case {
            name: "just not: a plan of another family, and one of the other currency",
            why: "nothing is known of m5: a quarter of 69.12",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances
                AmazonEC2 BoxUsage:c5.large i-2 0..720/1 cost=0 effective=0.05 qty=1 price=0.085 op=RunInstances used=plan
                AmazonEC2 BoxUsage:m5.large i-3 0..720/1 cost=0 effective=0.05 qty=1 price=0.096 op=RunInstances used=plan currency=EUR",
            findings: "compute.commitment.gap m5 fail 17.28 69.12",
        },
        Case {
            name: "a reservation of Azure at 60 %, of another size",
            why: "138.24 × 0.4 = 55.30",
            bill: "
                azure:Virtual_Machines Dsv5_Series|D4s_v5 vm-1 0..720/24 cost=4.608 qty=24 price=0.192
                azure:Virtual_Machines Dsv5_Series|D8s_v5 vm-2 0..720/24 cost=0 effective=5.5296 qty=24 price=0.384 used=reservation",
            findings: "compute.commitment.gap Dsv5 fail 55.30 138.24",
        },
        Case {
            name: "a commitment of Google Cloud at 63 %",
            why: "0.19 × 720 = 136.80, of which 37 % are 50.62",
            bill: "
                gcp:Compute_Engine n2-standard-4_running vm-1 0..720/1 cost=0.19 qty=1 price=0.19 type=n2-standard-4
                gcp:Compute_Engine n2-standard-8_running vm-2 0..720/1 cost=0 effective=0.2394 qty=1 price=0.38 type=n2-standard-8 used=cud",
            findings: "compute.commitment.gap N2 fail 50.62 136.80",
        },
    ]);
}

#[test]
fn discounts_for_sustained_use_end_where_a_commitment_begins() {
    check(&[
        Case {
            name: "a fifth is off for sustained use",
            why: "136.80 less 27.36 are 109.44; three quarters of the public 136.80 are 102.60: 6.84 less",
            bill: "
                gcp:Compute_Engine n2-standard-4_running vm-1 0..720/1 cost=0.19  qty=1 price=0.19 type=n2-standard-4
                gcp:Compute_Engine n2-standard-4_running vm-1 0..720/24 cost=-0.912 qty=0 type=n2-standard-4 category=Credit",
            findings: "
                compute.commitment.gap N2 fail 6.84 136.80
                credit.masking Compute_Engine info - 27.36",
        },
        Case {
            name: "cores and memory, in rows by the hour",
            why: "4 × 0.0316 + 16 × 0.0042 = 0.1936 an hour, 139.39 a month: a quarter is 34.85",
            bill: "
                gcp:Compute_Engine N2_Instance_Core_running_in_Americas vm-1 0..720/1 cost=0.1264 qty=4  price=0.0316
                gcp:Compute_Engine N2_Instance_Ram_running_in_Americas  vm-1 0..720/1 cost=0.0672 qty=16 price=0.0042",
            findings: "compute.commitment.gap N2 fail 34.85 139.39",
        },
        Case {
            name: "cores of machines that the export does not name, in rows by the hour, 4 of them and 8 by night",
            why: "0.1264 an hour always, 91.01 a month, a quarter of it; with the nights 136.51 cost",
            bill: "
                gcp:Compute_Engine N2_Instance_Core_running_in_Americas - 0..720/1 cost=0.1264 qty=4 price=0.0316
                gcp:Compute_Engine N2_Instance_Core_running_in_Americas - 0..720/1 cost=0.1264 qty=4 price=0.0316 nightly=12",
            findings: "compute.commitment.gap N2 fail 22.75 136.51",
        },
        Case {
            name: "just not: a machine that shares a core, and rows by the day of cores",
            why: "no commitment covers the first, which is of a previous generation; how many cores run when is not in the second",
            bill: "
                gcp:Compute_Engine Small_Instance_with_1_VCPU_running_in_Americas vm-1 0..720/1 cost=0.02 qty=1
                gcp:Compute_Engine N2_Instance_Core_running_in_Americas vm-2 0..720/24 cost=3.0336 qty=96 price=0.0316",
            findings: "compute.generation.previous vm-1 fail - 14.40",
        },
    ]);
}

#[test]
fn functions_are_covered_by_what_they_cost_in_each_hour() {
    check(&[
        Case {
            name: "functions that cost 0.10 an hour by day and 0.30 by night",
            why: "a base of 0.10 an hour is 72 a month, of which a plan takes 12 %: 8.64. Requests are not discounted",
            bill: "
                AWSLambda Lambda-GB-Second f-1 0..720/1 cost=0.1 qty=6000
                AWSLambda Lambda-GB-Second-ARM f-2 0..720/1 cost=0.2 qty=12000 nightly=12
                AWSLambda Request f-1 0..720/1 cost=0.5 qty=100000",
            findings: "compute.commitment.gap lambda fail 8.64 144.00",
        },
        Case {
            name: "just not: rows by the day",
            why: "they do not tell when it runs",
            bill: "AWSLambda Lambda-GB-Second f-1 0..720/24 cost=2.4 qty=144000",
            findings: "",
        },
    ]);
}

#[test]
fn unused_commitments() {
    check(&[
        Case {
            name: "half of a plan, on day 8",
            why: "0.05 an hour of 0.10 is unused: 36 a month, which is sunk",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..192/1 cost=0 effective=0.05 qty=1 used=plan
                AmazonEC2 - - 0..192/1 cost=0 effective=0.05 qty=0 unused=plan",
            findings: "commitment.unused plan fail - 36.00",
        },
        Case {
            name: "just not: a plan whose term ended on the tenth",
            why: "nothing of it is left to be used",
            bill: "
                AmazonEC2 BoxUsage:c5.large i-2 0..720/1 cost=0 effective=0.05 qty=1 used=other
                AmazonEC2 - - 0..216/1 cost=0 effective=0.05 qty=0 unused=plan",
            findings: "",
        },
        Case {
            name: "two hours in the middle of the month",
            why: "no term is so short: rows are missing. 2 × 0.05 as charged, below what is worth a line, and 2 × 5",
            bill: "
                AmazonEC2 BoxUsage:c5.large i-2 0..720/1 cost=0 effective=0.05 qty=1 used=other
                AmazonEC2 - - 300..302/1 cost=0 effective=5 qty=0 unused=plan",
            findings: "commitment.unused plan fail - 10.00",
        },
    ]);
}

#[test]
fn hours_in_which_nothing_runs_are_hours_of_the_bill() {
    check(&[
        Case {
            name: "ten hours a day beside storage by the month",
            why: "a plan for 0.096 an hour would cost 0.072 × 720 = 51.84, and only 28.80 are charged: 29.37 in 720 hours, of which the \
                  bill tells 706",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances daily=10
                AmazonS3  TimedStorage-GlacierByteHrs b-1 0..720 cost=1 qty=250",
            findings: "compute.commitment.gap m5 info - 29.37",
        },
        Case {
            name: "the same in a test environment",
            why: "it rests already: 28.80 × 720 / 706",
            bill: "
                AmazonEC2 BoxUsage:m5.large i-1 0..720/1 cost=0.096 qty=1 price=0.096 op=RunInstances daily=10 env=dev
                AmazonS3  TimedStorage-GlacierByteHrs b-1 0..720 cost=1 qty=250",
            findings: "compute.commitment.gap m5 info - 29.37",
        },
    ]);
}
