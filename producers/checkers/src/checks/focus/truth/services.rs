//! A usage type means something only with its service.

use super::{Case, check};

#[test]
fn a_usage_type_is_read_with_its_service() {
    check(&[
        Case {
            name: "a bucket",
            why: "1000 GB in S3 for 250 a month; what a colder class would save is not in a bill",
            bill: "AmazonS3 TimedStorage-ByteHrs orders 0..720/24 cost=8.333333333333 qty=33.333333",
            findings: "object.storage.untiered orders fail - 250.00",
        },
        Case {
            name: "tables, log groups, images and files are no buckets",
            why: "the same usage type of other services: Intelligent-Tiering does not exist there",
            bill: "
                AmazonDynamoDB   TimedStorage-ByteHrs orders  0..720/24 cost=8.333333333333 qty=33.333333
                AmazonCloudWatch TimedStorage-ByteHrs group   0..720/24 cost=8.333333333333 qty=33.333333
                AmazonECR        TimedStorage-ByteHrs images  0..720/24 cost=8.333333333333 qty=33.333333
                AmazonEFS        TimedStorage-ByteHrs files   0..720/24 cost=8.333333333333 qty=33.333333",
            findings: "",
        },
        Case {
            name: "processed data is logs in CloudWatch only",
            why: "250 GB of logs are over the threshold; a stream and a firewall are no log groups, and a classic load balancer with work is busy",
            bill: "
                AmazonCloudWatch      DataProcessing-Bytes group  0..720/24 cost=4.166666666667 qty=8.333333333
                AmazonKinesisFirehose DataProcessing-Bytes stream 0..720/24 cost=4.166666666667 qty=8.333333333
                AWSNetworkFirewall    DataProcessing-Bytes wall   0..720/24 cost=4.166666666667 qty=8.333333333",
            findings: "logs.ingestion group fail - 125.00",
        },
        Case {
            name: "the surcharge of a cluster is no instance",
            why: "EMR names its surcharge BoxUsage as well; no plan of EC2 covers it",
            bill: "ElasticMapReduce BoxUsage:m5.xlarge i-1 0..720/1 cost=0.048 qty=1",
            findings: "",
        },
        Case {
            name: "Fargate at spot prices and its ephemeral storage are covered by no plan",
            why: "both are on demand by category; vCPU of 0.04 for 720 h is 28.80, a quarter of it 7.20",
            bill: "
                AmazonECS USE1-SpotUsage-Fargate-vCPU-Hours:perCPU task-1 0..720/1 cost=0.012 qty=1
                AmazonECS USE1-Fargate-EphemeralStorage-GB-Hours   task-2 0..720/1 cost=0.01  qty=90
                AmazonECS USE1-Fargate-vCPU-Hours:perCPU           task-3 0..720/1 cost=0.04  qty=1",
            findings: "compute.commitment.gap fargate fail 7.20 28.80",
        },
        Case {
            name: "a megabyte in a colder class is no tiering",
            why: "10,000 GB for 230 in the class for frequent access beside 0.001 GB in a colder one",
            bill: "
                AmazonS3 TimedStorage-ByteHrs     archive 0..720/24 cost=7.666666666667 qty=333.333333
                AmazonS3 TimedStorage-SIA-ByteHrs archive 0..720/24 cost=0.000001 qty=0.000033",
            findings: "object.storage.untiered archive fail - 230.00",
        },
        Case {
            name: "a bucket of which a fifth is tiered is looked after",
            why: "200 of 1,000 GB lie in a colder class",
            bill: "
                AmazonS3 TimedStorage-ByteHrs     archive 0..720/24 cost=0.613333 qty=26.666666
                AmazonS3 TimedStorage-SIA-ByteHrs archive 0..720/24 cost=0.083333 qty=6.666667",
            findings: "",
        },
    ]);
}
