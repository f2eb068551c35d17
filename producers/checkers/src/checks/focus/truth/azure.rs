//! Bills of Azure: products and meters as its exports have them, public prices of East US.

use super::{Case, check};

#[test]
fn virtual_machines_of_previous_generations() {
    check(&[
        Case {
            name: "D4s v3 at a price above that of its successor in the bill",
            why: "0.21 × 720 h = 151.20; D4s v5 at 0.192: 0.018 × 720 = 12.96. A reservation saves a quarter of what is left, \
                  (151.20 − 12.96) × 0.25 = 34.56, and of the other one 138.24 × 0.25 = 34.56",
            bill: "
                azure:Virtual_Machines Dv3/DSv3_Series|D4_v3/D4s_v3 vm-1 0..720/24 cost=5.04  qty=24 price=0.21  type=Standard_D4s_v3
                azure:Virtual_Machines Dsv5_Series|D4s_v5           vm-2 0..720/24 cost=4.608 qty=24 price=0.192 type=Standard_D4s_v5",
            findings: "
                compute.commitment.gap Dsv3 fail 34.56 151.20
                compute.commitment.gap Dsv5 fail 34.56 138.24
                compute.generation.previous vm-1 fail 12.96 151.20",
        },
        Case {
            name: "the same by its description, in rows by the hour, in a month in progress",
            why: "0.21 × 100 h are 21 so far: 151.20 a month, of which 12.96 are saved. 100 hours are no week: nothing is steady yet",
            bill: "
                azure:Virtual_Machines Virtual_Machines_Dv3/DSv3_Series_-_D4_v3/D4s_v3_-_US_East vm-1 0..100/1 cost=0.21 qty=1 price=0.21
                azure:Virtual_Machines Virtual_Machines_Dsv5_Series_-_D4s_v5_-_US_East vm-2 0..100/1 cost=0.192 qty=1 price=0.192",
            findings: "
                compute.commitment.gap Dsv3 info - 151.20
                compute.commitment.gap Dsv5 info - 138.24
                compute.generation.previous vm-1 fail 12.96 151.20",
        },
        Case {
            name: "Windows and Linux have prices of their own",
            why: "D4s v3 with Windows at 0.376 is compared with D4s v5 with Windows only, which the bill does not show; Hybrid Benefit would \
                  take the licence off, and whether there is one to use the bill does not tell. What a reservation takes off is unknown as well",
            bill: "
                azure:Virtual_Machines Dv3/DSv3_Series_Windows|D4_v3/D4s_v3 vm-1 0..720/24 cost=9.024 qty=24 price=0.376
                azure:Virtual_Machines Dsv5_Series|D4s_v5                   vm-2 0..720/24 cost=4.608 qty=24 price=0.192",
            findings: "
                compute.commitment.gap Dsv3 info - 270.72
                compute.commitment.gap Dsv5 fail 34.56 138.24
                compute.generation.previous vm-1 fail - 270.72
                licence.windows windows-machines info - 270.72",
        },
        Case {
            name: "DS3 v2 has 4 cores, as D4s v5",
            why: "0.229 × 720 = 164.88; (0.229 − 0.192) × 720 = 26.64. Reservations: (164.88 − 26.64) × 0.25 = 34.56, and 34.56",
            bill: "
                azure:Virtual_Machines Dv2/DSv2_Series|D3_v2/DS3_v2 vm-1 0..720/24 cost=5.496 qty=24 price=0.229 type=Standard_DS3_v2
                azure:Virtual_Machines Dsv5_Series|D4s_v5           vm-2 0..720/24 cost=4.608 qty=24 price=0.192",
            findings: "
                compute.commitment.gap DSv2 fail 34.56 164.88
                compute.commitment.gap Dsv5 fail 34.56 138.24
                compute.generation.previous vm-1 fail 26.64 164.88",
        },
        Case {
            name: "just not: reserved, at spot prices, of a current family, or charged to another service",
            why: "none of it would follow. A reservation of the current one saves 120 × 0.25",
            bill: "
                azure:Virtual_Machines Dv3/DSv3_Series|D4_v3/D4s_v3      vm-1 0..720/24 cost=3 qty=24 used=reservation
                azure:Virtual_Machines Dv3/DSv3_Series|D4_v3/D4s_v3_Spot vm-2 0..720/24 cost=1 qty=24
                azure:Virtual_Machines Dasv5_Series|D4as_v5              vm-3 0..720/24 cost=4 qty=24
                azure:Azure_Machine_Learning Virtual_Machines_Dv2/DSv2_Series_-_D11_v2/DS11_v2_-_US_East ws 0..720/24 cost=4 qty=24",
            findings: "compute.commitment.gap Dasv5 fail 30.00 120.00",
        },
    ]);
}

#[test]
fn a_refund_of_half_a_machine_lowers_its_savings_by_half() {
    check(&[Case {
        name: "a machine that was refunded by half",
        why: "151.20 less 75.60; half of 12.96, and half of 34.56",
        bill: "
                azure:Virtual_Machines Dv3/DSv3_Series|D4_v3/D4s_v3 vm-1 0..720/24 cost=5.04  qty=24 price=0.21
                azure:Virtual_Machines Dv3/DSv3_Series|D4_v3/D4s_v3 vm-1 0..24 cost=-75.6 qty=-360 class=Correction
                azure:Virtual_Machines Dsv5_Series|D4s_v5           vm-2 0..720/24 cost=4.608 qty=24 price=0.192",
        findings: "
                compute.commitment.gap Dsv3 fail 17.28 75.60
                compute.commitment.gap Dsv5 fail 34.56 138.24
                compute.generation.previous vm-1 fail 6.48 75.60",
    }]);
}

#[test]
fn managed_disks_and_snapshots() {
    check(&[
        Case {
            name: "a Premium SSD beside a Standard SSD of its size",
            why: "P30 135.17 a month, E30 76.80: 58.37. What speed it needs is not in a bill: info",
            bill: "
                azure:Virtual_Machines Premium_SSD_Managed_Disks|P30_LRS_Disk  disk-1 0..720/24 cost=4.505666666667 qty=0.033333333333 price=135.17
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E30_LRS_Disk disk-2 0..720/24 cost=2.56 qty=0.033333333333 price=76.8",
            findings: "volume.premium disk-1 info 58.37 135.17",
        },
        Case {
            name: "just not: a Standard SSD of another size, of several zones, or of another region",
            why: "no price to compare with: the sum of the region is said",
            bill: "
                azure:Virtual_Machines Premium_SSD_Managed_Disks|P30_LRS_Disk  disk-1 0..720/24 cost=4.505666666667 qty=0.033333333333 price=135.17
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E20_LRS_Disk disk-2 0..720/24 cost=1.28 qty=0.033333333333 price=38.4
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E30_ZRS_Disk disk-3 0..720/24 cost=3.84 qty=0.033333333333 price=115.2
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E30_LRS_Disk disk-4 0..720/24 cost=2.56 qty=0.033333333333 price=76.8 region=westeurope",
            findings: "volume.premium premium-disks info - 135.17",
        },
        Case {
            name: "a disk that grew on the 20th",
            why: "P20 until then ended with it; P30 135.17, E30 76.80",
            bill: "
                azure:Virtual_Machines Premium_SSD_Managed_Disks|P20_LRS_Disk  disk-1 0..456/24   cost=2.440666666667 qty=0.033333333333 price=73.22
                azure:Virtual_Machines Premium_SSD_Managed_Disks|P30_LRS_Disk  disk-1 456..720/24 cost=4.505666666667 qty=0.033333333333 price=135.17
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E20_LRS_Disk disk-2 0..720/24 cost=1.28 qty=0.033333333333 price=38.4
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E30_LRS_Disk disk-3 0..720/24 cost=2.56 qty=0.033333333333 price=76.8",
            findings: "volume.premium disk-1 info 58.37 135.17",
        },
        Case {
            name: "Standard HDD disks, and what they are charged for use",
            why: "4 × S30 at 40.96; operations are no disks",
            bill: "
                azure:Virtual_Machines Standard_HDD_Managed_Disks|S30_LRS_Disk disk 0..720/24 cost=1.365333333333 qty=0.033333333333 copies=4 renew=720
                azure:Virtual_Machines Standard_HDD_Managed_Disks|S30_LRS_Disk_Operations disk-0-0 0..720/24 cost=0.1 qty=200",
            findings: "volume.magnetic hard-disks info - 163.84",
        },
        Case {
            name: "snapshots that cost more than the disks",
            why: "6,000 GB × 0.05 = 300 beside 76.80",
            bill: "
                azure:Virtual_Machines Standard_HDD_Managed_Disks|LRS_Snapshots snap-1 0..720/24 cost=10 qty=200
                azure:Virtual_Machines Standard_SSD_Managed_Disks|E30_LRS_Disk  disk-2 0..720/24 cost=2.56 qty=0.033333333333",
            findings: "snapshot.storage.share disk-snapshots fail - 300.00",
        },
    ]);
}

#[test]
fn networks() {
    check(&[
        Case {
            name: "public addresses, used or not",
            why: "10 × 0.005 × 720 h: a bill of Azure does not tell which are idle, and nothing is claimed",
            bill: "azure:Virtual_Network IP_Addresses|Standard_IPv4_Static_Public_IP pip 0..720/24 cost=0.12 qty=24 copies=10 renew=720",
            findings: "ipv4.in.use in-use info - 36.00",
        },
        Case {
            name: "a NAT gateway in the first ten days, in euros",
            why: "1,000 GB × 0.045 so far in 240 of 720 h: 135 a month",
            bill: "
                azure:Azure_NAT_Gateway NAT_Gateway|Standard_Data_Processed nat-1 0..240/24 cost=4.5 qty=100 currency=EUR
                azure:Azure_NAT_Gateway NAT_Gateway|Standard_Gateway        nat-1 0..240/24 cost=1.08 qty=24 currency=EUR",
            findings: "nat.data.processing nat-1 fail - 135.00",
        },
        Case {
            name: "load balancers with and without data",
            why: "0.025 × 720 h for rules that nothing passes; the other one processes 10 GB a day. A basic one is free",
            bill: "
                azure:Load_Balancer Load_Balancer|Standard_Included_LB_Rules_and_Outbound_Rules lb-1 0..720/24 cost=0.6 qty=24
                azure:Load_Balancer Load_Balancer|Standard_Included_LB_Rules_and_Outbound_Rules lb-2 0..720/24 cost=0.6 qty=24
                azure:Load_Balancer Load_Balancer|Standard_Data_Processed                       lb-2 0..720/24 cost=0.05 qty=10
                azure:Load_Balancer Load_Balancer|Standard_Included_LB_Rules_and_Outbound_Rules_-_Free lb-3 0..720/24 cost=0 qty=24",
            findings: "load.balancer.idle lb-1 fail 18.00 18.00",
        },
        Case {
            name: "an application gateway without work, and just not one with some",
            why: "0.246 × 720 h; the other one needs 2 capacity units in each hour",
            bill: "
                azure:Application_Gateway Application_Gateway_Standard_v2|Standard_Fixed_Cost     gw-1 0..720/24 cost=5.904 qty=24
                azure:Application_Gateway Application_Gateway_Standard_v2|Standard_Fixed_Cost     gw-2 0..720/24 cost=5.904 qty=24
                azure:Application_Gateway Application_Gateway_Standard_v2|Standard_Capacity_Units gw-2 0..720/24 cost=0.384 qty=48",
            findings: "load.balancer.idle gw-1 fail 177.12 177.12",
        },
        Case {
            name: "data between regions, whatever service it is charged to",
            why: "6,000 GB × 0.02; data to the internet is another thing",
            bill: "
                azure:Virtual_Machines Bandwidth_Inter-Region|Intra_Continent_Data_Transfer_Out vm-1 0..720/24 cost=4 qty=200
                azure:Virtual_Machines Rtn_Preference:_MGN|Standard_Data_Transfer_Out           vm-1 0..720/24 cost=4 qty=50",
            findings: "transfer.cross.region cross-region fail - 120.00",
        },
    ]);
}

#[test]
fn logs_and_blobs() {
    check(&[
        Case {
            name: "a workspace that takes in 1,500 GB",
            why: "50 GB a day × 2.30 × 30",
            bill: "azure:Azure_Monitor Log_Analytics|Analytics_Logs_Data_Ingestion logs-1 0..720/24 cost=115 qty=50",
            findings: "logs.ingestion logs-1 fail - 3450.00",
        },
        Case {
            name: "just not: 90 GB, and what is only kept",
            why: "3 GB a day × 2.30 × 30 are a line to know of",
            bill: "
                azure:Azure_Monitor Log_Analytics|Analytics_Logs_Data_Ingestion logs-1 0..720/24 cost=6.9 qty=3
                azure:Azure_Monitor Log_Analytics|Analytics_Logs_Data_Retention logs-1 0..720/24 cost=9 qty=90",
            findings: "logs.ingestion logs-1 info - 207.00",
        },
        Case {
            name: "a storage account whose blobs are all hot",
            why: "30,000 GB × 0.0184; its files have no tiers that move by themselves",
            bill: "
                azure:Storage_Accounts Tiered_Block_Blob|Hot_LRS_Data_Stored account-1 0..720/24 cost=18.4 qty=1000
                azure:Storage_Accounts Files_v2|Hot_LRS_Data_Stored          account-2 0..720/24 cost=18.4 qty=1000",
            findings: "object.storage.untiered account-1 fail - 552.00",
        },
        Case {
            name: "just not: a tenth of it is cool",
            why: "100 of 1,000 GB",
            bill: "
                azure:Storage_Accounts Tiered_Block_Blob|Hot_LRS_Data_Stored  account-1 0..720/24 cost=0.552 qty=30
                azure:Storage_Accounts Tiered_Block_Blob|Cool_LRS_Data_Stored account-1 0..720/24 cost=0.034 qty=3.4",
            findings: "",
        },
    ]);
}

#[test]
fn licences_of_windows() {
    let bill = "
        azure:Virtual_Machines Dsv5_Series_Windows|D4s_v5 vm-1 0..360/24 cost=8.1216 qty=24 price=0.376
        azure:Virtual_Machines Dsv5_Series|D4s_v5         vm-2 0..360/24 cost=4.608 qty=24 price=0.192";
    check(&[
        Case {
            name: "Windows in a month in progress, at a discount of a tenth",
            why: "0.3384 × 720 h = 243.65. A reservation takes nothing off the licence: 0.192 × 0.9 × 720 = 124.42 are the machine, with the \
                  138.24 of the other one a quarter is 65.66",
            bill,
            findings: "
                compute.commitment.gap Dsv5 fail 65.66 381.89
                licence.windows windows-machines info - 243.65",
        },
        Case {
            name: "just not: a licence of the customer",
            why: "with Hybrid Benefit a machine is charged as Linux, whatever it runs",
            bill: "azure:Virtual_Machines Dsv5_Series|D4s_v5 vm-1 0..720/24 cost=4.608 qty=24 price=0.192 type=Standard_D4s_v5",
            findings: "compute.commitment.gap Dsv5 fail 34.56 138.24",
        },
    ]);
    let rows: Vec<_> = bill.lines().filter(|line| !line.trim().is_empty()).flat_map(super::rows_of).collect();
    let found = super::findings(&rows);
    // (0.376 − 0.192) × 0.9 × 360 h = 59.616 of 121.824 so far.
    let licences = found.iter().find(|f| f.check_id == "billing.licence.windows").unwrap();
    assert_eq!(
        (&*licences.dimensions["charged_licences"], &*licences.dimensions["licence_share_pct"]),
        ("59.616", "48.9")
    );
}
