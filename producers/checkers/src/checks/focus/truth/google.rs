//! Bills of Google Cloud: descriptions of SKUs as its exports have them, public prices of us-central1.

use super::{Case, check};

#[test]
fn addresses() {
    check(&[
        Case {
            name: "a static address that nothing uses",
            why: "0.01 an hour × 720 h",
            bill: "gcp:Compute_Engine Static_Ip_Charge ip-1 0..720/24 cost=0.24 qty=24 price=0.01",
            findings: "ipv4.idle ip-1 fail 7.20 7.20",
        },
        Case {
            name: "the same in rows by the hour, from the 20th on, beside a machine that always runs",
            why: "0.01 × 720, though 240 h were charged. The machine costs 14.40, of which a commitment saves a quarter",
            bill: "
                gcp:Compute_Engine Static_Ip_Charge ip-1 480..720/1 cost=0.01 qty=1
                gcp:Compute_Engine E2_Instance_Core_running_in_Americas vm-1 0..720/1 cost=0.02 qty=1",
            findings: "
                compute.commitment.gap E2 fail 3.60 14.40
                ipv4.idle ip-1 fail 7.20 7.20",
        },
        Case {
            name: "just not: released ten days before the end",
            why: "nothing is left to release",
            bill: "
                gcp:Compute_Engine Static_Ip_Charge ip-1 0..480/1 cost=0.01 qty=1
                gcp:Compute_Engine E2_Instance_Core_running_in_Americas vm-1 0..720/1 cost=0.02 qty=1",
            findings: "compute.commitment.gap E2 fail 3.60 14.40",
        },
        Case {
            name: "three addresses where the export names none",
            why: "3 × 0.01 × 720 h in one finding for the project and region",
            bill: "gcp:Compute_Engine Static_Ip_Charge - 0..720/24 cost=0.72 qty=72 price=0.01",
            findings: "ipv4.idle idle-addresses fail 21.60 21.60",
        },
        Case {
            name: "addresses in use",
            why: "2 × 0.005 × 720 h; which are needed is not in a bill",
            bill: "gcp:Compute_Engine External_IP_Charge_on_a_Standard_VM vm 0..720/24 cost=0.12 qty=24 copies=2 renew=720",
            findings: "ipv4.in.use in-use info - 7.20",
        },
    ]);
}

#[test]
fn gateways_balancers_and_transfer() {
    check(&[
        Case {
            name: "Cloud NAT with 3,000 GiB, in the first ten days of a month",
            why: "1,000 GiB × 0.045 = 45 in 240 of 720 h: 135 a month",
            bill: "
                gcp:Networking Networking_Cloud_Nat_Data_Processing nat-1 0..240/24 cost=4.5 qty=100 price=0.045
                gcp:Networking Networking_Cloud_Nat_Gateway_Uptime  nat-1 0..240/24 cost=0.1056 qty=24",
            findings: "nat.data.processing nat-1 fail - 135.00",
        },
        Case {
            name: "Cloud NAT with 90 GiB whose gateway the export does not name",
            why: "90 × 0.045; under 100 GiB it is a line to know of",
            bill: "gcp:Networking Networking_Cloud_Nat_Data_Processing - 0..720/24 cost=0.135 qty=3 price=0.045",
            findings: "nat.data.processing all-nat-gateways info - 4.05",
        },
        Case {
            name: "traffic between zones and regions",
            why: "12,000 GiB × 0.01 and 4,000 GiB × 0.08",
            bill: "
                gcp:Compute_Engine Network_Inter_Zone_Data_Transfer_Out vm-1 0..720/24 cost=4 qty=400
                gcp:Compute_Engine Network_Inter_Region_Data_Transfer_Out_from_Americas_to_EMEA vm-1 0..720/24 cost=10.666666666667 qty=133.3",
            findings: "
                transfer.cross.region cross-region fail - 320.00
                transfer.cross.zone cross-zone fail - 120.00",
        },
        Case {
            name: "forwarding rules without any traffic",
            why: "0.025 × 720 h for up to five rules; nothing in the project was processed",
            bill: "gcp:Compute_Engine Network_Load_Balancing:_Forwarding_Rule_Minimum_Service_Charge_in_Americas rule-1 0..720/24 cost=0.6 qty=24",
            findings: "load.balancer.idle all-forwarding-rules fail 18.00 18.00",
        },
        Case {
            name: "just not: data is charged to another rule",
            why: "the first five rules share one charge: which of them is idle is not in the bill",
            bill: "
                gcp:Compute_Engine Network_Load_Balancing:_Forwarding_Rule_Minimum_Service_Charge_in_Americas rule-1 0..720/24 cost=0.6 qty=24
                gcp:Compute_Engine Network_Load_Balancing:_Data_Processing_Charge_in_Americas rule-2 0..720/24 cost=0.24 qty=30",
            findings: "",
        },
    ]);
}

#[test]
fn machines_of_the_first_generation() {
    check(&[
        Case {
            name: "n1-standard-4 beside an E2",
            why: "4 cores × 0.031611 and 15 GiB × 0.004237 are 0.189999 an hour; E2 costs 0.021811 and 0.002923: 4 × 0.0098 + 15 × \
                  0.001314 = 0.05891 × 720 h = 42.42 of 136.80",
            bill: "
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/24 cost=3.034656 qty=96 price=0.031611
                gcp:Compute_Engine N1_Predefined_Instance_Ram_running_in_Americas  vm-1 0..720/24 cost=1.52532 qty=360 price=0.004237
                gcp:Compute_Engine E2_Instance_Core_running_in_Americas vm-2 0..720/24 cost=1.046928 qty=48 price=0.021811
                gcp:Compute_Engine E2_Instance_Ram_running_in_Americas  vm-2 0..720/24 cost=0.561216 qty=192 price=0.002923",
            findings: "compute.generation.previous vm-1 fail 42.42 136.80",
        },
        Case {
            name: "the same in rows by the hour",
            why: "as above; a commitment saves a quarter of what the move leaves, (136.80 − 42.42) × 0.25 = 23.60, and of the E2, 48.24",
            bill: "
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/1 cost=0.126444 qty=4  price=0.031611
                gcp:Compute_Engine N1_Predefined_Instance_Ram_running_in_Americas  vm-1 0..720/1 cost=0.063555 qty=15 price=0.004237
                gcp:Compute_Engine E2_Instance_Core_running_in_Americas vm-2 0..720/1 cost=0.043622 qty=2 price=0.021811
                gcp:Compute_Engine E2_Instance_Ram_running_in_Americas  vm-2 0..720/1 cost=0.023384 qty=8 price=0.002923",
            findings: "
                compute.commitment.gap E2 fail 12.06 48.24
                compute.commitment.gap N1 fail 23.60 136.80
                compute.generation.previous vm-1 fail 42.42 136.80",
        },
        Case {
            name: "the same after a discount for sustained use",
            why: "30 % of 136.80 come back as credits, 41.04: 42.42 − 41.04 = 1.38 are left to save. That credits pay a charge is said as well",
            bill: "
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/24 cost=3.034656 qty=96 price=0.031611
                gcp:Compute_Engine N1_Predefined_Instance_Ram_running_in_Americas  vm-1 0..720/24 cost=1.52532 qty=360 price=0.004237
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/24 cost=-1.3679928 qty=0 category=Credit
                gcp:Compute_Engine E2_Instance_Core_running_in_Americas vm-2 0..720/24 cost=1.046928 qty=48 price=0.021811
                gcp:Compute_Engine E2_Instance_Ram_running_in_Americas  vm-2 0..720/24 cost=0.561216 qty=192 price=0.002923",
            findings: "
                compute.generation.previous vm-1 fail 1.38 136.80
                credit.masking Compute_Engine info - 41.04",
        },
        Case {
            name: "without a price of the successor in the bill",
            why: "nothing is invented: 136.80 and no savings. The other one ended on the tenth",
            bill: "
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/24 cost=3.034656 qty=96 price=0.031611
                gcp:Compute_Engine N1_Predefined_Instance_Ram_running_in_Americas  vm-1 0..720/24 cost=1.52532 qty=360 price=0.004237
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-2 0..240/24 cost=3.034656 qty=96 price=0.031611",
            findings: "compute.generation.previous vm-1 fail - 136.80",
        },
        Case {
            name: "what is covered, at spot prices or of a newer family",
            why: "none of it would follow",
            bill: "
                gcp:Compute_Engine N1_Predefined_Instance_Core_running_in_Americas vm-1 0..720/24 cost=3 qty=96 used=cud-1
                gcp:Compute_Engine Spot_Preemptible_N1_Predefined_Instance_Core_running_in_Americas vm-2 0..720/24 cost=1 qty=96
                gcp:Compute_Engine N2_Instance_Core_running_in_Americas vm-3 0..720/24 cost=3 qty=96",
            findings: "",
        },
        Case {
            name: "machines named by their type",
            why: "0.19 × 720 h and 0.134 × 720 h: (0.19 − 0.134) × 720 = 40.32 of 136.80; a commitment saves a quarter of the rest, 96.48, and of \
                  the other one, 96.48",
            bill: "
                gcp:Compute_Engine n1-standard-4_running vm-1 0..720/1 cost=0.19  qty=1 price=0.19  type=n1-standard-4
                gcp:Compute_Engine e2-standard-4_running vm-2 0..720/1 cost=0.134 qty=1 price=0.134 type=e2-standard-4",
            findings: "
                compute.commitment.gap E2 fail 24.12 96.48
                compute.commitment.gap N1 fail 24.12 136.80
                compute.generation.previous vm-1 fail 40.32 136.80",
        },
    ]);
}

#[test]
fn disks_and_snapshots() {
    check(&[
        Case {
            name: "an SSD persistent disk beside a balanced one",
            why: "500 GiB × 0.17 = 85; balanced costs 0.10: 35 less. What speed it needs is not in a bill: info",
            bill: "
                gcp:Compute_Engine SSD_backed_PD_Capacity   disk-1 0..720/24 cost=2.833333333333 qty=16.666666666667 price=0.17
                gcp:Compute_Engine Balanced_PD_Capacity     disk-2 0..720/24 cost=0.333333333333 qty=3.333333333333 price=0.1",
            findings: "volume.premium disk-1 info 35.00 85.00",
        },
        Case {
            name: "in its first two days, in euros, at a discount of a tenth",
            why: "500 × 0.153 = 76.50 a month; balanced at the same discount 0.09: 31.50 less",
            bill: "
                gcp:Compute_Engine SSD_backed_PD_Capacity disk-1 672..720/24 cost=2.55 qty=16.666666666667 price=0.17 currency=EUR
                gcp:Compute_Engine Balanced_PD_Capacity   disk-2 0..720/24 cost=0.3 qty=3.333333333333 price=0.1 currency=EUR",
            findings: "volume.premium disk-1 info 31.50 76.50",
        },
        Case {
            name: "a regional disk beside a balanced one of one zone",
            why: "the price of two zones is not that of one: the sum of the region is said, and no savings",
            bill: "
                gcp:Compute_Engine Regional_SSD_backed_PD_Capacity disk-1 0..720/24 cost=5.666666666667 qty=16.666666666667 price=0.34
                gcp:Compute_Engine Balanced_PD_Capacity            disk-2 0..720/24 cost=0.333333333333 qty=3.333333333333 price=0.1",
            findings: "volume.premium premium-disks info - 170.00",
        },
        Case {
            name: "standard disks",
            why: "3 × 1,000 GiB × 0.04: cheap, and perhaps attached to nothing",
            bill: "gcp:Compute_Engine Storage_PD_Capacity disk 0..720/24 cost=1.333333333333 qty=33.333333333333 copies=3 renew=720",
            findings: "volume.magnetic hard-disks info - 120.00",
        },
        Case {
            name: "snapshots that cost more than the disks",
            why: "8,000 GiB × 0.05 = 400 beside 100 for balanced disks: 80 %",
            bill: "
                gcp:Compute_Engine Storage_PD_Snapshot_in_US snap 0..720/24 cost=13.333333333333 qty=266.666666666667
                gcp:Compute_Engine Balanced_PD_Capacity    disk-2 0..720/24 cost=3.333333333333 qty=33.333333333333",
            findings: "snapshot.storage.share disk-snapshots fail - 400.00",
        },
        Case {
            name: "just not: snapshots that cost a little less than the disks",
            why: "99 beside 100",
            bill: "
                gcp:Compute_Engine Storage_PD_Snapshot_in_US snap 0..720/24 cost=3.3 qty=66
                gcp:Compute_Engine Balanced_PD_Capacity    disk-2 0..720/24 cost=3.333333333333 qty=33.333333333333",
            findings: "",
        },
        Case {
            name: "a disk that was refunded",
            why: "85 less 85",
            bill: "
                gcp:Compute_Engine SSD_backed_PD_Capacity disk-1 0..720/24 cost=2.833333333333 qty=16.666666666667 price=0.17
                gcp:Compute_Engine SSD_backed_PD_Capacity disk-1 0..24 cost=-84.99999999999 qty=-500 class=Correction
                gcp:Compute_Engine Balanced_PD_Capacity   disk-2 0..720/24 cost=0.333333333333 qty=3.333333333333 price=0.1",
            findings: "",
        },
    ]);
}

#[test]
fn logs_and_buckets() {
    check(&[
        Case {
            name: "logs of a project",
            why: "3,000 GiB × 0.5; Cloud Logging names no resource",
            bill: "gcp:Cloud_Logging Log_Storage_cost - 0..720/24 cost=50 qty=100 price=0.5",
            findings: "logs.ingestion all-log-buckets fail - 1500.00",
        },
        Case {
            name: "just not: 99 GiB of logs, and what is only kept",
            why: "49.50 are a line to know of; retention is not ingestion",
            bill: "
                gcp:Cloud_Logging Log_Storage_cost   - 0..720/24 cost=1.65 qty=3.3 price=0.5
                gcp:Cloud_Logging Log_Retention_cost - 0..720/24 cost=1 qty=100",
            findings: "logs.ingestion all-log-buckets info - 49.50",
        },
        Case {
            name: "a bucket whose objects are all in Standard",
            why: "20,000 GiB × 0.02",
            bill: "gcp:Cloud_Storage Standard_Storage_US_Regional assets 0..720/24 cost=13.333333333333 qty=666.666666667",
            findings: "object.storage.untiered assets fail - 400.00",
        },
        Case {
            name: "just not: a tenth of it is in Nearline",
            why: "2,000 of 20,000 GiB are tiered. BigQuery has no buckets",
            bill: "
                gcp:Cloud_Storage Standard_Storage_US_Regional assets 0..720/24 cost=12 qty=600
                gcp:Cloud_Storage Nearline_Storage_Iowa        assets 0..720/24 cost=0.67 qty=67
                gcp:BigQuery      Standard_Storage             set    0..720/24 cost=12 qty=600",
            findings: "",
        },
    ]);
}
