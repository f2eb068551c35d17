//! Capacity, gateways and endpoints that are paid for and used by nothing.

use super::{Case, check};

#[test]
fn unused_reserved_capacity() {
    check(&[
        Case {
            name: "two reserved instances that no one launches, on day 8",
            why: "2 × 0.096 × 720 = 138.24, though 36.86 were charged; cancelling the reservation saves all of it",
            bill: "AmazonEC2 UnusedBox:m5.large cr-1 0..192/1 cost=0.192 qty=2 op=RunInstances",
            findings: "capacity.reservation.unused cr-1 fail 138.24 138.24",
        },
        Case {
            name: "a reservation that is used by day and unused by night, in rows by the day",
            why: "12 h a day of 0.096 for 30 days are 34.56; the used half is charged with its instance",
            bill: "
                AmazonEC2 EUC1-UnusedBox:m5.large   cr-1 0..720/24 cost=1.152 qty=12 op=RunInstances
                AmazonEC2 EUC1-Reservation:m5.large cr-1 0..720/24 cost=0     qty=12 op=RunInstances",
            findings: "capacity.reservation.unused cr-1 fail 34.56 34.56",
        },
        Case {
            name: "reserved capacity that a plan covers",
            why: "the plan is sunk: cancelling the reservation saves nothing by itself",
            bill: "AmazonEC2 UnusedBox:m5.large cr-1 0..720/24 cost=0 effective=1.6 qty=24 used=plan",
            findings: "",
        },
        Case {
            name: "just not: unused for 23 hours",
            why: "fewer than hours_min, while an instance was replaced",
            bill: "
                AmazonEC2 UnusedBox:m5.large   cr-1 697..720/1 cost=0.096 qty=1
                AmazonEC2 Reservation:m5.large cr-1 0..697/1   cost=0     qty=1",
            findings: "",
        },
        Case {
            name: "a reservation that was cancelled, and one that was refunded",
            why: "the first ended on day 20; of the second, 69.12 came back",
            bill: "
                AmazonEC2 UnusedBox:m5.large cr-1 0..480/24 cost=2.304  qty=24
                AmazonEC2 UnusedDed:m5.large cr-2 0..720/24 cost=2.304  qty=24
                AmazonEC2 UnusedDed:m5.large cr-2 0..24     cost=-69.12 qty=0 category=Adjustment",
            findings: "",
        },
    ]);
}

#[test]
fn gateways_and_endpoints_without_data() {
    check(&[
        Case {
            name: "a NAT gateway without data on day 8",
            why: "0.045 × 720 = 32.40",
            bill: "
                AmazonEC2 NatGateway-Hours nat-1 0..192/1 cost=0.045 qty=1
                AmazonEC2 NatGateway-Bytes nat-1 0..192/1 cost=0     qty=0",
            findings: "nat.idle nat-1 fail 32.40 32.40",
        },
        Case {
            name: "just not: 0.3 GB on day 8",
            why: "0.3 GB in 192 h are 1.125 a month, more than one",
            bill: "
                AmazonEC2 NatGateway-Hours nat-1 0..192/24 cost=1.08 qty=24
                AmazonEC2 NatGateway-Bytes nat-1 0..24     cost=0    qty=0.3",
            findings: "",
        },
        Case {
            name: "an endpoint in three zones at a discount of a tenth, in rows by the day",
            why: "3 × 0.009 × 720 = 19.44, and 0.009 for a GB",
            bill: "
                AmazonVPC USE1-VpcEndpoint-Hours vpce-1 0..720/24 cost=0.648 qty=72
                AmazonVPC USE1-VpcEndpoint-Bytes vpce-1 0..720/24 cost=0.0003 qty=0.03",
            findings: "endpoint.idle vpce-1 fail 19.45 19.45",
        },
        Case {
            name: "a busy endpoint beside an idle one, in two currencies",
            why: "50 GB is work; the other one costs 7.20",
            bill: "
                AmazonVPC USE1-VpcEndpoint-Hours vpce-1 0..720/24 cost=0.24 qty=24
                AmazonVPC USE1-VpcEndpoint-Bytes vpce-1 0..720/24 cost=0.0167 qty=1.666667
                AmazonVPC EUC1-VpcEndpoint-Hours vpce-2 0..720/24 cost=0.24 qty=24 currency=EUR",
            findings: "endpoint.idle vpce-2 fail 7.20 7.20",
        },
        Case {
            name: "an endpoint that was deleted, and one that is five days old",
            why: "one ended on day 20, the other is younger than hours_min",
            bill: "
                AmazonVPC VpcEndpoint-Hours vpce-1 0..480/24   cost=0.24 qty=24
                AmazonVPC VpcEndpoint-Hours vpce-2 600..720/24 cost=0.24 qty=24",
            findings: "",
        },
        Case {
            name: "an endpoint of which half came back",
            why: "7.20 less 3.60",
            bill: "
                AmazonVPC VpcEndpoint-Hours vpce-1 0..720/24 cost=0.24 qty=24
                AmazonVPC VpcEndpoint-Hours vpce-1 0..24     cost=-3.6 qty=0 class=Correction",
            findings: "endpoint.idle vpce-1 fail 3.60 3.60",
        },
    ]);
}
