//! Backups against what they protect, and what object storage charges beside storing.

use super::{Case, check};

#[test]
fn backups_against_the_storage_they_protect() {
    check(&[
        Case {
            name: "backups of databases on day 8",
            why: "250 GB beyond the free allowance beside 100 GB of storage: 250 × 0.095 = 23.75 a month",
            bill: "
                AmazonRDS USE1-RDS:Multi-AZ-GP3-Storage orders 0..192/24 cost=0.766666666667 qty=3.333333333333
                AmazonRDS USE1-RDS:ChargedBackupUsage   orders 0..192/24 cost=0.791666666667 qty=8.333333333333",
            findings: "backup.storage.large database-backups fail - 23.75",
        },
        Case {
            name: "just not: Aurora backups of 90 GB beside 100 GB",
            why: "fewer than what they protect",
            bill: "
                AmazonRDS Aurora:StorageUsage cluster 0..720/24 cost=0.333333333333 qty=3.333333333333
                AmazonRDS Aurora:BackupUsage  cluster 0..720/24 cost=0.063          qty=3",
            findings: "",
        },
        Case {
            name: "a vault with copies of file systems, in rows by the hour, in euros",
            why: "300 GB at 0.05 are 15.00, beside 100 GB in two classes",
            bill: "
                AmazonEFS TimedStorage-ByteHrs        files   0..720/1 cost=0.02           qty=0.083333333333 currency=EUR
                AmazonEFS IATimedStorage-ByteHrs      files   0..720/1 cost=0.001          qty=0.055555555556 currency=EUR
                AWSBackup EU-WarmStorage-ByteHrs-EFS  vault-1 0..720/1 cost=0.020833333333 qty=0.416666666667 currency=EUR",
            findings: "backup.storage.large file-backups fail - 15.00",
        },
        Case {
            name: "backups that outlived their databases",
            why: "no database stores anything there: 9.50 a month are paid for copies, which may be wanted",
            bill: "AmazonRDS RDS:ChargedBackupUsage snapshots 0..720/24 cost=0.316666666667 qty=3.333333333333",
            findings: "backup.storage.alone database-backups info - 9.50",
        },
        Case {
            name: "backups of which a half came back",
            why: "23.75 less 11.875",
            bill: "
                AmazonRDS RDS:GP3-Storage        orders 0..720/24 cost=0.383333333333 qty=3.333333333333
                AmazonRDS RDS:ChargedBackupUsage backup 0..720/24 cost=0.791666666667 qty=8.333333333333
                AmazonRDS RDS:ChargedBackupUsage backup 0..24     cost=-11.875        qty=0 class=Correction",
            findings: "backup.storage.large database-backups fail - 11.88",
        },
        Case {
            name: "backups that were deleted on day 20",
            why: "nothing is charged any more",
            bill: "
                AmazonRDS RDS:GP3-Storage        orders 0..720/24 cost=0.383333333333 qty=3.333333333333
                AmazonRDS RDS:ChargedBackupUsage backup 0..480/24 cost=0.791666666667 qty=8.333333333333",
            findings: "",
        },
    ]);
}

#[test]
fn objects_deleted_before_their_time() {
    check(&[
        Case {
            name: "early deletes in two classes on day 8",
            why: "0.20 and 0.30 a day are 15.00 a month",
            bill: "
                AmazonS3 EUW1-EarlyDelete-SIA logs 0..192/24 cost=0.2 qty=16 op=DeleteObject
                AmazonS3 EUW1-EarlyDelete-GDA logs 0..192/24 cost=0.3 qty=300 op=DeleteObject",
            findings: "object.early.delete logs fail - 15.00",
        },
        Case {
            name: "just not: less than ten dollars a month",
            why: "0.33 a day are 9.90: reported, and no failure",
            bill: "AmazonS3 EarlyDelete-ByteHrs logs 0..720/24 cost=0.33 qty=80",
            findings: "object.early.delete logs info - 9.90",
        },
        Case {
            name: "early deletes in yen, of which a third came back",
            why: "60 a day are 1,800, less 600: about 8 dollars",
            bill: "
                AmazonS3 EarlyDelete-GIR logs 0..720/24 cost=60   qty=80 currency=JPY
                AmazonS3 EarlyDelete-GIR logs 0..24     cost=-600 qty=0  currency=JPY class=Correction",
            findings: "object.early.delete logs info - 1200.00",
        },
        Case {
            name: "a vault's early deletes are of its own kind",
            why: "AWS Backup charges under a usage type of the same name; no bucket deleted anything",
            bill: "AWSBackup EarlyDelete-ColdByteHrs-EFS vault 0..720/24 cost=1 qty=80",
            findings: "",
        },
    ]);
}

#[test]
fn requests_that_cost_more_than_storage() {
    check(&[
        Case {
            name: "a bucket of small objects on day 8",
            why: "PUT of 1.00 and GET of 0.50 a day are 45.00 a month beside 30.00 of storage",
            bill: "
                AmazonS3 Requests-Tier1       events 0..192/24 cost=1   qty=200000  op=PutObject
                AmazonS3 Requests-Tier2       events 0..192/24 cost=0.5 qty=1250000 op=GetObject
                AmazonS3 TimedStorage-SIA-ByteHrs events 0..192/24 cost=1 qty=80",
            findings: "object.requests events fail - 45.00",
        },
        Case {
            name: "just not: requests for as much, less a cent",
            why: "29.99 beside 30.00",
            bill: "
                AmazonS3 Requests-Tier1           events 0..720/24 cost=0.999666666667 qty=200000 op=PutObject
                AmazonS3 TimedStorage-SIA-ByteHrs events 0..720/24 cost=1 qty=80",
            findings: "",
        },
        Case {
            name: "requests of which a half came back, where the bill names no bucket",
            why: "27.00 less 13.50 are fewer than the 15.00 of the storage; together 28.50 name no resource",
            bill: "
                AmazonS3 Requests-Tier1           - 0..720/24 cost=0.9   qty=180000 op=PutObject
                AmazonS3 Requests-Tier1           - 0..24     cost=-13.5 qty=0 class=Correction
                AmazonS3 TimedStorage-SIA-ByteHrs - 0..720/24 cost=0.5   qty=40
                AmazonS3 TimedStorage-SIA-ByteHrs events 0..720/24 cost=1.6 qty=80",
            findings: "spend.without.resource AmazonS3 info - 28.50",
        },
        Case {
            name: "requests to images are no requests to buckets",
            why: "another service",
            bill: "AmazonECR Requests-Tier1 images 0..720/24 cost=1.5 qty=300000",
            findings: "",
        },
    ]);
}
