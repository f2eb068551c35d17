//! Surcharges for old versions, and what support plans cost.

use super::{Case, check};

#[test]
fn extended_support_of_clusters() {
    check(&[
        Case {
            name: "a cluster past its standard support on day 8",
            why: "0.50 × 720 = 360; the 0.10 an hour of the cluster itself stays",
            bill: "
                AmazonEKS USE1-AmazonEKS-Hours:extendedSupport prod 0..192/1 cost=0.5 qty=1
                AmazonEKS USE1-AmazonEKS-Hours:perCluster      prod 0..192/1 cost=0.1 qty=1",
            findings: "kubernetes.support.extended prod fail 360.00 360.00",
        },
        Case {
            name: "the same in rows by the day, at a discount of a tenth, in euros",
            why: "0.45 × 720 = 324",
            bill: "AmazonEKS AmazonEKS-Hours:extendedSupport prod 0..720/24 cost=10.8 qty=24 currency=EUR",
            findings: "kubernetes.support.extended prod fail 324.00 324.00",
        },
        Case {
            name: "just not: a cluster in standard support, and one that was upgraded on day 20",
            why: "the surcharge ended with the upgrade, the cluster's own price goes on",
            bill: "
                AmazonEKS USE1-AmazonEKS-Hours:perCluster      test 0..720/24 cost=2.4 qty=24
                AmazonEKS USE1-AmazonEKS-Hours:extendedSupport prod 0..480/24 cost=12  qty=24
                AmazonEKS USE1-AmazonEKS-Hours:perCluster      prod 0..720/24 cost=2.4 qty=24",
            findings: "",
        },
        Case {
            name: "a cluster of which half came back",
            why: "360 less 180",
            bill: "
                AmazonEKS AmazonEKS-Hours:extendedSupport prod 0..720/24 cost=12   qty=24
                AmazonEKS AmazonEKS-Hours:extendedSupport prod 0..24     cost=-180 qty=0 class=Correction",
            findings: "kubernetes.support.extended prod fail 180.00 180.00",
        },
        Case {
            name: "the same usage type of another service",
            why: "only EKS charges for it",
            bill: "AmazonECS AmazonEKS-Hours:extendedSupport prod 0..720/24 cost=12 qty=24",
            findings: "",
        },
    ]);
}

#[test]
fn fees_of_support_plans() {
    check(&[
        Case {
            name: "a support plan on day 8",
            why: "100 are charged for 800 of usage so far, more than a tenth; the fee grows with the bill and is not scaled",
            bill: "
                AWSSupportBusiness Dollar - 0..720    cost=100 category=Purchase region=
                AmazonEC2          Other  i-1 0..192/24 cost=100",
            findings: "support.fee AWSSupportBusiness fail - 100.00",
        },
        Case {
            name: "just not: a fee of 7 % whose reversal is taken off",
            why: "100 − 30 of 1,000",
            bill: "
                AWSSupportEnterprise Dollar -   0..720    cost=100 category=Purchase region=
                AWSSupportEnterprise Dollar -   0..720    cost=-30 category=Adjustment region=
                AmazonEC2            Other  i-1 0..720/24 cost=33.333333333333",
            findings: "support.fee AWSSupportEnterprise info - 70.00",
        },
        Case {
            name: "a fee beside a plan that covers usage",
            why: "what a plan pays is use as well: 90 of 900",
            bill: "
                AWSSupportBusiness Dollar  -   0..720    cost=90 category=Purchase region=
                AmazonEC2          Other   i-1 0..720/24 cost=0 effective=30 used=plan",
            findings: "support.fee AWSSupportBusiness fail - 90.00",
        },
    ]);
}
