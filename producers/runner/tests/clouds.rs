//! Whole bills of Azure and Google Cloud, from the file to the published finding, as FOCUS 1.2 with the columns of the provider and as
//! FOCUS 1.4, which has neither these nor a `ProviderName`. Prices are public ones of East US and us-central1.
#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic, reason = "a test that cannot go on should panic")]

mod support;

use contracts::topics;
use support::{Published, World, accept, plan};

/// Something that is charged by the day all September 2026.
struct Charge {
    service: &'static str,
    /// Product and meter of Azure; of Google Cloud the description of the SKU, and nothing.
    sku: [&'static str; 2],
    instance_type: &'static str,
    /// Resources of that kind; `-` for none.
    resource: &'static str,
    copies: usize,
    unit: &'static str,
    /// Public price of a unit, and units a month of each, in 10,000ths.
    price: i64,
    units: i64,
}

fn charge(
    service: &'static str,
    sku: [&'static str; 2],
    resource: (&'static str, usize),
    price: i64,
    units: i64,
) -> Charge {
    let (resource, copies) = resource;
    Charge { service, sku, instance_type: "", resource, copies, unit: "Units", price, units: units * 10_000 }
}

impl Charge {
    fn instance_type(self, instance_type: &'static str) -> Self {
        Self { instance_type, unit: "Hours", ..self }
    }
}

#[derive(Clone, Copy, PartialEq)]
enum Version {
    /// 1.2, as the providers export it.
    Provider,
    /// 1.4 and nothing else.
    Plain,
}

/// The bill as CSV.
fn csv(provider: &str, charges: &[Charge], version: Version) -> String {
    let providers = match version {
        Version::Provider => "ProviderName,PublisherName,x_SkuMeterSubcategory",
        Version::Plain => "ServiceProviderName,HostProviderName,InvoiceDetailId",
    };
    let mut lines = vec![format!(
        "{providers},BilledCost,EffectiveCost,BillingCurrency,BillingAccountId,SubAccountId,BillingPeriodStart,BillingPeriodEnd,\
         ChargePeriodStart,ChargePeriodEnd,ChargeCategory,ChargeClass,PricingCategory,PricingQuantity,PricingUnit,ListUnitPrice,\
         RegionId,ResourceId,ServiceName,SkuMeter,SkuPriceDetails,ChargeDescription,Tags"
    )];
    let ten_thousandths = |number: i64| format!("{}.{:04}", number / 10_000, number % 10_000);
    let trillionths = |number: i128| format!("{}.{:012}", number / 1_000_000_000_000, number % 1_000_000_000_000);
    for charge in charges {
        let [product, meter] = charge.sku;
        let (subcategory, sku_meter, description) = match (version, meter) {
            (_, "") => ("", "", product.to_owned()),
            (Version::Provider, _) => (product, meter, format!("{product} - {meter} - US East")),
            (Version::Plain, _) => ("", meter, format!("{product} - {meter} - US East")),
        };
        let details = match charge.instance_type {
            "" => String::new(),
            name => format!(r#""{{""InstanceType"":""{name}"",""CoreCount"":8}}""#),
        };
        let of_version = if version == Version::Provider { subcategory } else { "detail-1" };
        for copy in 0..charge.copies {
            let resource = match charge.resource {
                "-" => String::new(),
                name => format!("{name}-{copy}"),
            };
            for day in 1..=30 {
                let end = if day == 30 { "2026-10-01".to_owned() } else { format!("2026-09-{:02}", day + 1) };
                let [price, units] = [charge.price, charge.units].map(i128::from);
                let (cost, quantity) =
                    (trillionths(price * units * 10_000 / 30), trillionths(units * 100_000_000 / 30));
                lines.push(format!(
                    "{provider},{provider},{of_version},{cost},{cost},USD,payer-1,account-1,2026-09-01T00:00:00Z,2026-10-01T00:00:00Z,\
                     2026-09-{day:02}T00:00:00Z,{end}T00:00:00Z,Usage,,Standard,{quantity},{},{},region-1,{resource},{},{sku_meter},{details},\
                     {description},{}",
                    charge.unit,
                    ten_thousandths(charge.price),
                    charge.service,
                    r#""{""team"":""a""}""#,
                ));
            }
        }
    }
    lines.join("\n") + "\n"
}

fn findings(provider: &str, charges: &[Charge], version: Version) -> Vec<Published> {
    let world = World::new();
    let bill = world.file("bill.csv", csv(provider, charges, version));
    world.run(&plan("run-1", vec![bill])).unwrap();
    accept(&world.values(topics::WIRE))
}

/// Check, resource, savings and cost a month; findings of several resources of a kind are counted.
fn said(findings: &[Published]) -> Vec<String> {
    let mut said: std::collections::BTreeMap<String, usize> = std::collections::BTreeMap::new();
    for finding in findings {
        let cents = |pointer: &str| match finding.text(pointer) {
            "" => "-".to_owned(),
            amount => format!("{:.2}", amount.parse::<f64>().unwrap()),
        };
        let check = finding.text("/check_id").trim_start_matches("billing.");
        let resource = finding.text("/scope/resource_id").trim_end_matches(|c: char| c.is_ascii_digit());
        let (savings, cost) = (cents("/estimated/monthly_savings"), cents("/estimated/monthly_cost"));
        *said.entry(format!("{check} {resource} {} {savings} {cost}", finding.text("/status"))).or_default() += 1;
    }
    said.into_iter().map(|(text, count)| format!("{count} × {text}")).collect()
}

/// The same findings in both versions, none of which names a product of AWS.
#[track_caller]
fn check(provider: &str, charges: &[Charge], expected: &[&str]) {
    let found = findings(provider, charges, Version::Provider);
    assert_eq!(said(&found), expected);
    let plain = findings(provider, charges, Version::Plain);
    assert_eq!(said(&plain), expected, "FOCUS 1.4");
    let fingerprints = |findings: &[Published]| {
        let mut all: Vec<_> = findings.iter().map(|finding| finding.fingerprint.clone()).collect();
        all.sort();
        all
    };
    assert_eq!(fingerprints(&found), fingerprints(&plain));
    for finding in &found {
        let texts = ["/title", "/message", "/advice"].map(|pointer| finding.text(pointer)).join(" ");
        assert!(finding.text("/advice").len() > 10, "{texts}");
        for word in ["EBS", "EC2", "S3", "gp3", "Intelligent-Tiering", "CloudWatch", "Elastic"] {
            assert!(!texts.contains(word), "{word}: {texts}");
        }
    }
}

#[test]
fn a_bill_of_azure() {
    let disk = "Premium SSD Managed Disks";
    let charges = [
        charge("Virtual Machines", ["Virtual Machines Dv3/DSv3 Series", "D8 v3/D8s v3"], ("vm-old", 6), 3_840, 720)
            .instance_type("Standard_D8s_v3"),
        charge("Virtual Machines", [disk, "P30 LRS Disk"], ("disk-fast", 12), 1_351_700, 1),
        charge("Virtual Machines", ["Standard SSD Managed Disks", "E30 LRS Disk"], ("disk-slow", 1), 768_000, 1),
        charge("Virtual Machines", ["Standard HDD Managed Disks", "LRS Snapshots"], ("snap", 1), 500, 36_000),
        charge("Virtual Network", ["IP Addresses", "Standard IPv4 Static Public IP"], ("pip", 40), 50, 720),
        charge(
            "Load Balancer",
            ["Load Balancer", "Standard Included LB Rules and Outbound Rules"],
            ("lb", 3),
            250,
            720,
        ),
        charge("Azure NAT Gateway", ["NAT Gateway", "Standard Data Processed"], ("nat", 1), 450, 8_000),
        charge("Azure Monitor", ["Log Analytics", "Analytics Logs Data Ingestion"], ("logs", 1), 23_000, 450),
        charge("Storage Accounts", ["Tiered Block Blob", "Hot LRS Data Stored"], ("blobs", 1), 184, 30_000),
        charge(
            "Virtual Machines",
            ["Bandwidth Inter-Region", "Intra Continent Data Transfer Out"],
            ("vm-old", 1),
            200,
            6_000,
        ),
    ];
    check(
        "Microsoft",
        &charges,
        &[
            // Six at 276.48, a quarter of which a reservation saves.
            "1 × compute.commitment.gap Dsv fail 414.72 1658.88",
            // D8s v3 at 0.384 × 720 h. The bill shows no price of D8s v5, and none is invented.
            "6 × compute.generation.previous vm-old- fail - 276.48",
            // 40 × 0.005 × 720 h.
            "1 × ipv4.in.use in-use info - 144.00",
            // 0.025 × 720 h, and nothing processed.
            "3 × load.balancer.idle lb- fail 18.00 18.00",
            // 450 GB × 2.30.
            "1 × logs.ingestion logs- fail - 1035.00",
            // 8,000 GB × 0.045.
            "1 × nat.data.processing nat- fail - 360.00",
            // 30,000 GB × 0.0184.
            "1 × object.storage.untiered blobs- fail - 552.00",
            // 36,000 GB × 0.05 beside 12 × 135.17 + 76.80 for disks: 51 %.
            "1 × snapshot.storage.share disk-snapshots fail - 1800.00",
            // 6,000 GB × 0.02.
            "1 × transfer.cross.region cross-region fail - 120.00",
            // P30 135.17, E30 76.80.
            "12 × volume.premium disk-fast- info 58.37 135.17",
        ],
    );
}

#[test]
fn a_bill_of_google_cloud() {
    let compute = "Compute Engine";
    let charges = [
        charge(compute, ["N1 Predefined Instance Core running in Americas", ""], ("vm-old", 10), 316, 8 * 720),
        charge(compute, ["N1 Predefined Instance Ram running in Americas", ""], ("vm-old", 10), 42, 30 * 720),
        charge(compute, ["E2 Instance Core running in Americas", ""], ("vm-new", 1), 218, 2 * 720),
        charge(compute, ["E2 Instance Ram running in Americas", ""], ("vm-new", 1), 29, 8 * 720),
        charge(compute, ["SSD backed PD Capacity", ""], ("disk-fast", 5), 1_700, 1_000),
        charge(compute, ["Balanced PD Capacity", ""], ("disk-slow", 1), 1_000, 100),
        charge(compute, ["Static Ip Charge", ""], ("-", 1), 100, 20 * 720),
        charge("Networking", ["Networking Cloud Nat Data Processing", ""], ("nat", 1), 450, 5_000),
        charge("Networking", ["Cloud Load Balancer Forwarding Rule Minimum Global", ""], ("-", 1), 250, 720),
        charge(compute, ["Network Inter Zone Data Transfer Out", ""], ("-", 1), 100, 20_000),
        charge("Cloud Logging", ["Log Storage cost", ""], ("-", 1), 5_000, 2_400),
        charge("Cloud Storage", ["Standard Storage US Regional", ""], ("assets", 1), 200, 15_000),
    ];
    check(
        "Google Cloud",
        &charges,
        &[
            // 8 × 720 × 0.0316 + 30 × 720 × 0.0042 = 272.74; at 0.0218 and 0.0029 the same is 188.21.
            "10 × compute.generation.previous vm-old- fail 84.53 272.74",
            // 20 × 0.01 × 720 h, whose names the export does not tell.
            "1 × ipv4.idle idle-addresses fail 144.00 144.00",
            // 0.025 × 720 h, and no data in the project.
            "1 × load.balancer.idle all-forwarding-rules fail 18.00 18.00",
            // 2,400 GiB × 0.5.
            "1 × logs.ingestion all-log-buckets fail - 1200.00",
            // 5,000 GiB × 0.045.
            "1 × nat.data.processing nat- fail - 225.00",
            // 15,000 GiB × 0.02.
            "1 × object.storage.untiered assets- fail - 300.00",
            // All of the logs, whose buckets the export does not name.
            "1 × spend.without.resource Cloud Logging info - 1200.00",
            // 20,000 GiB × 0.01.
            "1 × transfer.cross.zone cross-zone fail - 200.00",
            // 1,000 GiB at 0.17, balanced at 0.10.
            "5 × volume.premium disk-fast- info 70.00 170.00",
        ],
    );
}
