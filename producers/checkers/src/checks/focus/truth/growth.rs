//! Growth against the month before: both months at run rate, and only where the bill tells both.

use super::{Case, check, findings, rows_of};

#[test]
fn growth_is_run_rate_now_less_the_month_before() {
    check(&[
        Case {
            name: "half a month that runs at twice the month before",
            why: "100 in August; 100 in 15 days of September are 200 a month: 100 more",
            bill: "
                AmazonEC2 Spot:x i-1 0..744 month=before cost=100
                AmazonEC2 Spot:x i-1 0..360/24           cost=6.666666666667",
            findings: "cost.growth Spot:x fail - 100.00",
        },
        Case {
            name: "half of August and half of September, in rows by the hour",
            why: "0.10 an hour are 37.20 of 372 h and 74.40 of 744; 0.25 an hour are 180.00 of 720: 105.60 more",
            bill: "
                AmazonEC2 Spot:x i-1 0..372/1 month=before cost=0.10
                AmazonEC2 Spot:x i-1 0..360/1              cost=0.25",
            findings: "cost.growth Spot:x fail - 105.60",
        },
        Case {
            name: "a usage type that is new, beside one that is not",
            why: "60 a month that August did not have; the other one is as it was",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=10
                AmazonEC2 Spot:y i-1 0..720/24              cost=2",
            findings: "cost.growth Spot:y fail - 60.00",
        },
        Case {
            name: "not: a sixth more",
            why: "310 in August, 360 in September",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=12",
            findings: "",
        },
        Case {
            name: "what falls does not grow",
            why: "310 in August, 30 in September",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=1",
            findings: "",
        },
        Case {
            name: "a marketplace product in two currencies",
            why: "each currency by itself: 60 more in euros; in yen 6,000 more are about 40 dollars, which is small",
            bill: "
                3ygexample EU-SoftwareUsage:m5.large i-1 0..744 month=before cost=30  currency=EUR
                3ygexample EU-SoftwareUsage:m5.large i-1 0..720              cost=90  currency=EUR
                3ygexample EU-SoftwareUsage:m5.large i-1 0..744 month=before cost=3000 currency=JPY
                3ygexample EU-SoftwareUsage:m5.large i-1 0..720              cost=9000 currency=JPY",
            findings: "
                cost.growth EU-SoftwareUsage:m5.large fail - 60.00
                cost.growth small-findings info - 6000.00",
        },
    ]);
}

#[test]
fn small_growth_is_put_together() {
    check(&[Case {
        name: "three usage types that grow by less than fifty",
        why: "15, 30 and 45 more a month, together 90",
        bill: "
            AmazonEC2 Spot:x i-1 0..744/24 month=before cost=0.1
            AmazonEC2 Spot:x i-1 0..720/24              cost=0.603333333333
            AmazonEC2 Spot:y i-1 0..720/24              cost=1
            AmazonS3  Spot:z i-1 0..720/24              cost=1.5",
        findings: "cost.growth small-findings info - 90.00",
    }]);
}

#[test]
fn corrections_and_commitments_are_no_growth() {
    check(&[
        Case {
            name: "growth that came back",
            why: "300 more were charged by mistake and taken back",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=20
                AmazonEC2 Spot:x i-1 0..720/24              cost=-10 class=Correction",
            findings: "",
        },
        Case {
            name: "a month that settles the one before",
            why: "the charge of August on September's bill is August's",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=10
                AmazonEC2 Spot:x i-1 -200..-100             cost=200 class=Correction",
            findings: "",
        },
        Case {
            name: "a plan that pays what was on demand before",
            why: "7.50 a day of effective cost are less than the 10 of August, and an invoice of nothing was no fall either",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=0 effective=7.5 used=plan
                AmazonEC2 Spot:x i-1 0..720/24              cost=7.5",
            findings: "",
        },
        Case {
            name: "purchases and taxes are no use",
            why: "a fee of September is not compared",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=10
                AmazonEC2 Fee    -   0..720                 cost=500 category=Purchase
                AmazonEC2 Tax    -   0..720                 cost=90  category=Tax",
            findings: "",
        },
    ]);
}

#[test]
fn growth_needs_both_months() {
    check(&[
        Case {
            name: "only the last six days of August",
            why: "fewer than hours_min do not tell a month",
            bill: "
                AmazonEC2 Spot:x i-1 600..744/24 month=before cost=1
                AmazonEC2 Spot:x i-1 0..720/24                cost=10",
            findings: "",
        },
        Case {
            name: "an account that is in September's bill only",
            why: "August tells nothing of it",
            bill: "
                AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
                AmazonEC2 Spot:x i-1 0..720/24              cost=10
                AmazonEC2 Spot:x i-2 0..720/24              cost=10 account=444455556666",
            findings: "",
        },
    ]);
}

#[test]
fn the_message_says_both_months() {
    let bill = "
        AmazonEC2 Spot:x i-1 0..744/24 month=before cost=10
        AmazonEC2 Spot:x i-1 0..360/24              cost=20";
    let rows: Vec<_> = bill.lines().filter(|line| !line.trim().is_empty()).flat_map(rows_of).collect();
    let found = findings(&rows);
    let messages: Vec<_> = found.iter().map(|f| &*f.message).collect();
    assert_eq!(
        messages,
        [
            "Spot:x of AmazonEC2 in account 111122223333 comes to 600 USD a month, 290 USD (93.5 %) more than the 310 USD of 2024-08"
        ]
    );
    let dimensions = &found[0].dimensions;
    assert_eq!((&*dimensions["charged_cost"], &*dimensions["share_hours"]), ("145", "360"));
}
