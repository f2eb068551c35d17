//! Usage that costs much though a bill cannot tell what of it could be saved.

use super::{Case, check};

#[test]
fn data_to_the_internet() {
    check(&[
        Case {
            name: "data of two machines on day 8",
            why: "2 × 20 GB a day at 0.09 are 3.60, 108.00 a month",
            bill: "
                AmazonEC2 DataTransfer-Out-Bytes i-1 0..192/24 cost=1.8 qty=20 op=RunInstances
                AmazonEC2 DataTransfer-Out-Bytes i-2 0..192/24 cost=1.8 qty=20 op=RunInstances",
            findings: "transfer.internet internet fail - 108.00",
        },
        Case {
            name: "just not, and of another service, in rows by the hour",
            why: "0.1388 an hour are 99.94; 3.60 of a bucket are a line of their own",
            bill: "
                AmazonEC2 USE1-DataTransfer-Out-Bytes i-1    0..720/1 cost=0.1388 qty=1.54
                AmazonS3  USE1-DataTransfer-Out-Bytes assets 0..720/1 cost=0.005  qty=0.06 op=GetObject",
            findings: "
                transfer.internet internet info - 3.60
                transfer.internet internet info - 99.94",
        },
        Case {
            name: "data in two currencies, of which a half came back",
            why: "120 − 60 in dollars; 120 in euros are about 130 dollars",
            bill: "
                AmazonEC2 DataTransfer-Out-Bytes i-1 0..720/24 cost=4   qty=44
                AmazonEC2 DataTransfer-Out-Bytes i-1 0..24     cost=-60 qty=0 class=Correction
                AmazonEC2 DataTransfer-Out-Bytes i-2 0..720/24 cost=4   qty=44 currency=EUR",
            findings: "
                transfer.internet internet fail - 120.00
                transfer.internet internet info - 60.00",
        },
        Case {
            name: "moving objects to an archive, and data in the free tier",
            why: "neither is charged as data to the internet",
            bill: "
                AmazonS3  USE1-S3G-DataTransfer-Out-Bytes logs 0..720/24 cost=4 qty=44
                AmazonEC2 DataTransfer-Out-Bytes          i-1  0..720/24 cost=0 qty=3",
            findings: "",
        },
    ]);
}

#[test]
fn transit_gateways_and_custom_metrics() {
    check(&[
        Case {
            name: "two attachments and their data on day 8",
            why: "2 × 0.05 × 720 = 72.00, and 50 GB a day at 0.02 are 30.00",
            bill: "
                AmazonVPC USE1-TransitGateway-Hours tgw-1 0..192/1  cost=0.1 qty=2  op=TransitGatewayVPC
                AmazonVPC USE1-TransitGateway-Bytes tgw-1 0..192/24 cost=1   qty=50 op=TransitGatewayVPC",
            findings: "transit.gateway transit-gateways fail - 102.00",
        },
        Case {
            name: "just not: one attachment",
            why: "36.00",
            bill: "AmazonVPC TransitGateway-Hours tgw-1 0..720/24 cost=1.2 qty=24",
            findings: "transit.gateway transit-gateways info - 36.00",
        },
        Case {
            name: "400 custom metrics on day 8, at a discount of a tenth",
            why: "400 × 0.27 = 108.00",
            bill: "AmazonCloudWatch CW:MetricMonitorUsage - 0..192/24 cost=3.6 qty=13.333333333333 op=MetricStorage",
            findings: "metrics.custom custom-metrics fail - 108.00",
        },
        Case {
            name: "not: 250 metrics in euros, and alarms",
            why: "250 × 0.30 = 75 EUR, less than 100 dollars; alarms are no metrics",
            bill: "
                AmazonCloudWatch CW:MetricMonitorUsage - 0..720/1 cost=0.104166666667 qty=0.347222222222 currency=EUR
                AmazonCloudWatch CW:AlarmMonitorUsage  - 0..720/1 cost=0.2   qty=2              currency=EUR",
            findings: "metrics.custom custom-metrics info - 75.00",
        },
    ]);
}
