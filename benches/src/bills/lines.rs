//! Lines of a synthetic bill, CUR 2.0 as AWS exports it: the same thing is charged hour after hour, with other amounts.

/// A cell, as the Parquet form has it.
#[derive(Debug, Clone, PartialEq)]
pub enum Cell {
    /// Null, and blank in CSV.
    Absent,
    /// Text.
    Text(String),
    /// Amounts and quantities are doubles in such exports.
    Number(f64),
    /// Milliseconds since the epoch.
    Time(i64),
    /// A map of text; JSON in CSV.
    Map(Vec<(&'static str, String)>),
}

/// What a column holds.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum ColumnKind {
    /// Text.
    Text,
    /// Double.
    Number,
    /// Timestamp.
    Time,
    /// Map.
    Map,
}

/// Columns in the order of the file.
pub const COLUMNS: [(&str, ColumnKind); 45] = [
    ("bill_bill_type", ColumnKind::Text),
    ("bill_billing_entity", ColumnKind::Text),
    ("bill_billing_period_end_date", ColumnKind::Time),
    ("bill_billing_period_start_date", ColumnKind::Time),
    ("bill_invoice_id", ColumnKind::Text),
    ("bill_payer_account_id", ColumnKind::Text),
    ("bill_payer_account_name", ColumnKind::Text),
    ("cost_category", ColumnKind::Map),
    ("discount", ColumnKind::Map),
    ("identity_line_item_id", ColumnKind::Text),
    ("identity_time_interval", ColumnKind::Text),
    ("line_item_availability_zone", ColumnKind::Text),
    ("line_item_blended_cost", ColumnKind::Number),
    ("line_item_blended_rate", ColumnKind::Text),
    ("line_item_currency_code", ColumnKind::Text),
    ("line_item_line_item_description", ColumnKind::Text),
    ("line_item_line_item_type", ColumnKind::Text),
    ("line_item_net_unblended_cost", ColumnKind::Number),
    ("line_item_operation", ColumnKind::Text),
    ("line_item_product_code", ColumnKind::Text),
    ("line_item_resource_id", ColumnKind::Text),
    ("line_item_unblended_cost", ColumnKind::Number),
    ("line_item_unblended_rate", ColumnKind::Text),
    ("line_item_usage_account_id", ColumnKind::Text),
    ("line_item_usage_account_name", ColumnKind::Text),
    ("line_item_usage_amount", ColumnKind::Number),
    ("line_item_usage_end_date", ColumnKind::Time),
    ("line_item_usage_start_date", ColumnKind::Time),
    ("line_item_usage_type", ColumnKind::Text),
    ("pricing_currency", ColumnKind::Text),
    ("pricing_public_on_demand_cost", ColumnKind::Number),
    ("pricing_public_on_demand_rate", ColumnKind::Text),
    ("pricing_term", ColumnKind::Text),
    ("pricing_unit", ColumnKind::Text),
    ("product", ColumnKind::Map),
    ("product_product_family", ColumnKind::Text),
    ("product_region_code", ColumnKind::Text),
    ("product_servicecode", ColumnKind::Text),
    ("reservation_effective_cost", ColumnKind::Number),
    ("reservation_reservation_a_r_n", ColumnKind::Text),
    ("resource_tags", ColumnKind::Map),
    ("savings_plan_savings_plan_a_r_n", ColumnKind::Text),
    ("savings_plan_savings_plan_effective_cost", ColumnKind::Number),
    ("savings_plan_total_commitment_to_date", ColumnKind::Number),
    ("savings_plan_used_commitment", ColumnKind::Number),
];

/// 2026-01-01 00:00 UTC.
const MONTH_MS: i64 = 1_767_225_600_000;
const HOUR_MS: i64 = 3_600_000;
const HOURS: usize = 744;
const PAYER: &str = "111122223333";
const REGIONS: [&str; 4] = ["us-east-1", "eu-west-3", "us-west-2", "ap-southeast-2"];

/// What kinds of things are charged.
pub struct SampleCharge {
    line_type: &'static str,
    service: &'static str,
    usage: &'static str,
    operation: &'static str,
    family: &'static str,
    unit: &'static str,
    rate: f64,
}

const fn charge(
    line_type: &'static str,
    [service, usage, operation, family, unit]: [&'static str; 5],
    rate: f64,
) -> SampleCharge {
    SampleCharge { line_type, service, usage, operation, family, unit, rate }
}

pub const CHARGES: [SampleCharge; 10] = [
    charge("Usage", ["AmazonEC2", "BoxUsage:m5.large", "RunInstances", "Compute Instance", "Hrs"], 0.096),
    charge("Usage", ["AmazonEC2", "EBS:VolumeUsage.gp3", "CreateVolume-Gp3", "Storage", "GB-Mo"], 0.08),
    charge("Usage", ["AmazonEC2", "DataTransfer-Out-Bytes", "RunInstances", "Data Transfer", "GB"], 0.09),
    charge(
        "SavingsPlanCoveredUsage",
        ["AmazonEC2", "BoxUsage:c6i.xlarge", "RunInstances", "Compute Instance", "Hrs"],
        0.17,
    ),
    charge(
        "SavingsPlanNegation",
        ["AmazonEC2", "BoxUsage:c6i.xlarge", "RunInstances", "Compute Instance", "Hrs"],
        -0.17,
    ),
    charge(
        "DiscountedUsage",
        ["AmazonRDS", "InstanceUsage:db.r5.large", "CreateDBInstance:0002", "Database Instance", "Hrs"],
        0.0,
    ),
    charge("Usage", ["AmazonS3", "TimedStorage-ByteHrs", "StandardStorage", "Storage", "GB-Mo"], 0.023),
    charge("Usage", ["AmazonS3", "Requests-Tier1", "PutObject", "API Request", "Requests"], 0.000_005),
    charge("Usage", ["AWSLambda", "Lambda-GB-Second", "Invoke", "Serverless", "seconds"], 0.000_016_7),
    charge("Usage", ["AmazonCloudWatch", "DataProcessing-Bytes", "PutLogEvents", "Data Payload", "GB"], 0.5),
];

/// The number of volumes among them.
const VOLUMES: usize = 1;

/// The `n`-th line of a bill in which `things` things are charged for each hour; always the same.
pub fn line(n: usize, things: usize) -> Vec<Cell> {
    let (hour, thing) = ((n / things) % HOURS, n % things);
    let charge = &CHARGES[thing % CHARGES.len()];
    let resource = thing / CHARGES.len();
    #[allow(clippy::cast_precision_loss, reason = "small numbers")]
    let quantity = if charge.unit == "Hrs" { 1.0 } else { ((n * 7_919) % 100_003) as f64 / 1_000.0 };
    let line = Line {
        n,
        charge,
        resource,
        account: account_of(thing),
        region: REGIONS[resource % REGIONS.len()],
        start_ms: MONTH_MS + HOUR_MS * i64::try_from(hour).unwrap_or_default(),
        quantity,
    };
    COLUMNS.iter().map(|(name, _)| line.cell(name)).collect()
}

/// Where the `n`-th volume of the bill is: account, region, id.
pub fn volume(n: usize) -> (String, &'static str, String) {
    let thing = n * CHARGES.len() + VOLUMES;
    let (charge, region) = (&CHARGES[VOLUMES], REGIONS[n % REGIONS.len()]);
    let account = account_of(thing);
    (account.to_string(), region, resource_id(charge, region, account, n))
}

fn account_of(thing: usize) -> usize {
    200_000_000_000 + (thing / 97) % 40
}

struct Line {
    n: usize,
    charge: &'static SampleCharge,
    resource: usize,
    account: usize,
    region: &'static str,
    start_ms: i64,
    quantity: f64,
}

fn text(text: &str) -> Cell {
    Cell::Text(text.to_owned())
}

impl Line {
    fn cell(&self, name: &str) -> Cell {
        let cell = self.bill(name).or_else(|| self.amount(name)).or_else(|| self.item(name));
        cell.or_else(|| self.commitment(name)).or_else(|| self.product(name)).unwrap_or(Cell::Absent)
    }

    fn bill(&self, name: &str) -> Option<Cell> {
        Some(match name {
            "bill_bill_type" => text("Anniversary"),
            "bill_billing_entity" => text("AWS"),
            "bill_billing_period_start_date" => Cell::Time(MONTH_MS),
            "bill_billing_period_end_date" => Cell::Time(MONTH_MS + HOUR_MS * 744),
            "bill_invoice_id" => text("2107465221"),
            "bill_payer_account_id" => text(PAYER),
            "bill_payer_account_name" => text("Payer of the example"),
            "cost_category" => Cell::Map(vec![("Team", format!("team-{}", self.account % 7))]),
            "discount" => Cell::Map(Vec::new()),
            "identity_line_item_id" => Cell::Text(format!("{:052x}", self.n.wrapping_mul(0x9e37_79b9_7f4a_7c15))),
            "identity_time_interval" => {
                Cell::Text(format!("{}/{}", time(self.start_ms), time(self.start_ms + HOUR_MS)))
            }
            _ => return None,
        })
    }

    fn amount(&self, name: &str) -> Option<Cell> {
        Some(match name {
            "line_item_blended_cost" | "line_item_unblended_cost" | "line_item_net_unblended_cost" => {
                Cell::Number(self.quantity * self.charge.rate)
            }
            "pricing_public_on_demand_cost" => Cell::Number(self.quantity * self.charge.rate),
            "line_item_blended_rate" | "line_item_unblended_rate" | "pricing_public_on_demand_rate" => {
                Cell::Text(format!("{:.10}", self.charge.rate))
            }
            "line_item_currency_code" | "pricing_currency" => text("USD"),
            "line_item_usage_amount" => Cell::Number(self.quantity),
            "line_item_usage_start_date" => Cell::Time(self.start_ms),
            "line_item_usage_end_date" => Cell::Time(self.start_ms + HOUR_MS),
            _ => return None,
        })
    }

    fn item(&self, name: &str) -> Option<Cell> {
        let Self { charge, region, account, resource, .. } = self;
        Some(match name {
            "line_item_availability_zone" if charge.unit == "Hrs" => Cell::Text(format!("{region}a")),
            "line_item_line_item_description" => {
                Cell::Text(format!("${} per {} of {} in {region}", charge.rate, charge.unit, charge.usage))
            }
            "line_item_line_item_type" => text(charge.line_type),
            "line_item_operation" => text(charge.operation),
            "line_item_product_code" | "product_servicecode" => text(charge.service),
            "line_item_resource_id" => Cell::Text(resource_id(charge, region, *account, *resource)),
            "line_item_usage_account_id" => Cell::Text(account.to_string()),
            "line_item_usage_account_name" => Cell::Text(format!("Account {account}")),
            "line_item_usage_type" => Cell::Text(format!("{}-{}", &region[..2].to_uppercase(), charge.usage)),
            "pricing_term" => text("OnDemand"),
            "pricing_unit" => text(charge.unit),
            "resource_tags" => Cell::Map(vec![
                ("aws_created_by", format!("AssumedRole:{account}:ci")),
                ("user_app", format!("app-{}", resource % 211)),
                ("user_cost_center", format!("cc-{}", resource % 17)),
                ("user_env", ["prod", "test", "dev"][resource % 3].to_owned()),
                ("user_name", format!("app-{}-{resource}", resource % 211)),
            ]),
            _ => return None,
        })
    }

    fn product(&self, name: &str) -> Option<Cell> {
        let Self { charge, region, .. } = self;
        Some(match name {
            "product" => {
                let name = ("product_name", format!("Service {}", charge.service));
                Cell::Map(vec![name, ("region", (*region).to_owned()), ("sku", format!("SKU-{}", charge.usage))])
            }
            "product_product_family" => text(charge.family),
            "product_region_code" => text(region),
            _ => return None,
        })
    }

    fn commitment(&self, name: &str) -> Option<Cell> {
        let region = self.region;
        Some(match (name, self.charge.line_type) {
            ("reservation_effective_cost", "DiscountedUsage") => Cell::Number(0.0672),
            ("reservation_reservation_a_r_n", "DiscountedUsage") => {
                Cell::Text(format!("arn:aws:rds:{region}:{PAYER}:ri:ri-2026-01-01-00-00-00-000"))
            }
            ("savings_plan_savings_plan_a_r_n", "SavingsPlanCoveredUsage" | "SavingsPlanNegation") => {
                let plan = "5f0c2a1e-0000-4000-8000-000000000001";
                Cell::Text(format!("arn:aws:savingsplans::{PAYER}:savingsplan/{plan}"))
            }
            ("savings_plan_savings_plan_effective_cost", "SavingsPlanCoveredUsage") => Cell::Number(0.1173),
            _ => return None,
        })
    }
}

fn resource_id(charge: &SampleCharge, region: &str, account: usize, resource: usize) -> String {
    let digits = resource.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4;
    match charge.service {
        "AmazonEC2" if charge.family == "Storage" => format!("vol-{digits:017x}"),
        "AmazonEC2" => format!("i-{digits:017x}"),
        "AmazonRDS" => format!("arn:aws:rds:{region}:{account}:db:orders-{resource}"),
        "AmazonS3" => format!("bucket-of-team-{resource}"),
        "AWSLambda" => format!("arn:aws:lambda:{region}:{account}:function:worker-{resource}"),
        _ => format!("arn:aws:logs:{region}:{account}:log-group:/aws/lambda/worker-{resource}"),
    }
}

/// As the CSV form writes it.
pub fn time(ms: i64) -> String {
    contracts::time::format_timestamp(ms).replace(".000Z", "Z")
}
