//! Which export a file is, and of which FOCUS version, recognized by its columns.

use super::header::Header;

/// Exports that are read.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Dialect {
    /// FOCUS cost and usage, 0.5 to 1.4.
    Focus,
    /// AWS cost and usage report with a column for each attribute and tag.
    Legacy,
    /// AWS cost and usage report 2.0, with maps of attributes and tags.
    Cur2,
}

impl Dialect {
    /// All of them.
    const ALL: [Self; 3] = [Self::Focus, Self::Legacy, Self::Cur2];
    /// Their names.
    pub const NAMES: [&'static str; 3] = ["focus", "legacy", "cur2"];

    /// The one with this name.
    #[must_use]
    pub fn of_name(name: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|dialect| dialect.as_str() == name)
    }

    /// As stored in `source_format`.
    #[must_use]
    pub fn as_str(self) -> &'static str {
        match self {
            Self::Focus => "focus",
            Self::Legacy => "legacy",
            Self::Cur2 => "cur2",
        }
    }

    /// For people.
    #[must_use]
    pub fn title(self) -> &'static str {
        match self {
            Self::Focus => "FOCUS cost and usage",
            Self::Legacy => "an AWS cost and usage report (legacy)",
            Self::Cur2 => "an AWS cost and usage report 2.0",
        }
    }
}

/// What columns are those of.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Recognised {
    /// A FOCUS cost and usage export with all columns a bill needs.
    Focus {
        /// Version; information only.
        version: &'static str,
        /// FOCUS columns it lacks, with what that means.
        missing: Vec<(&'static str, &'static str)>,
    },
    /// FOCUS, without columns that a bill needs.
    FocusIncomplete {
        /// Version; information only.
        version: &'static str,
        /// Columns.
        missing: Vec<&'static str>,
    },
    /// An AWS cost and usage report.
    Cur {
        /// Legacy or 2.0.
        dialect: Dialect,
        /// Columns it lacks, with what that means.
        missing: Vec<(&'static str, &'static str)>,
    },
    /// Most likely an AWS cost and usage report, without columns that a bill needs.
    CurIncomplete {
        /// Columns.
        missing: Vec<&'static str>,
    },
    /// Another export, which is not read.
    Other(&'static OtherExport),
    /// No known export.
    Unknown,
}

/// An export that is recognised to say what to export instead.
#[derive(Debug, PartialEq, Eq)]
pub struct OtherExport {
    /// What it is.
    pub what: &'static str,
    /// What to do.
    pub advice: &'static str,
    /// Column names, each group of which says that it is this export.
    marks: &'static [&'static [&'static str]],
}

/// Columns without which figures would be wrong. The first name is the one of FOCUS 1.0 and later.
const REQUIRED: [(&str, &[&str]); 5] = [
    ("BilledCost", &["billedcost"]),
    ("BillingCurrency", CURRENCY),
    ("ChargeCategory", CATEGORY),
    ("ChargePeriodStart", &["chargeperiodstart"]),
    ("SubAccountId or BillingAccountId", &["subaccountid", "billingaccountid"]),
];

/// Names of the billing currency; the second is of FOCUS before 1.0.
pub const CURRENCY: &[&str] = &["billingcurrency", "billedcurrency"];
/// Names of the charge category; the second is of FOCUS before 1.0.
pub const CATEGORY: &[&str] = &["chargecategory", "chargetype"];
/// Names of the amortised cost; the second is of FOCUS before 1.0.
pub const EFFECTIVE_COST: &[&str] = &["effectivecost", "amortizedcost"];
/// Names of the provider, first match wins. 1.3 brought `ServiceProviderName` and `HostProviderName`, 1.4 dropped
/// `ProviderName`; 0.5 had `Provider`. The newer name first, so that versions of one bill agree.
pub const PROVIDER: &[&str] = &["serviceprovidername", "providername", "hostprovidername", "provider"];
/// Companies that sell or publish: they say which cloud it is only when they are a cloud provider.
pub const SELLER: &[&str] = &["invoiceissuername", "publishername", "invoiceissuer", "publisher"];

/// Columns whose absence is reported, since less is known without them.
const EXPECTED: [(&str, &[&str], &str); 11] = [
    ("EffectiveCost", EFFECTIVE_COST, "BilledCost is taken for it, so upfront payments are not spread over their term"),
    ("BillingPeriodStart", &["billingperiodstart"], "the month of the charge is taken for the billing month"),
    (
        "BillingPeriodEnd",
        &["billingperiodend"],
        "a billing month that does not start at midnight UTC may be taken for the month before",
    ),
    ("ChargePeriodEnd", &["chargeperiodend"], "hours of usage are unknown"),
    ("BillingAccountId", &["billingaccountid"], "the paying account is unknown"),
    ("ChargeClass", &["chargeclass"], "corrections cannot be distinguished from charges"),
    ("ServiceName", &["servicename", "x_servicecode"], "services are unknown"),
    ("ResourceId", &["resourceid"], "no finding can name a resource"),
    ("PricingCategory", &["pricingcategory"], "on-demand usage cannot be distinguished from usage under a commitment"),
    ("Tags", &["tags"], "tags are unknown"),
    (
        "ServiceProviderName or ProviderName",
        PROVIDER,
        "the cloud is named only by the invoice issuer, if at all; checks for one cloud need it",
    ),
];

/// Columns by the version that brought them, newest first.
const VERSIONS: [(&str, &[&str]); 7] = [
    ("1.4", &["invoicedetailid", "commitmentprogrameligibilitydetails"]),
    ("1.3", &["serviceprovidername", "hostprovidername", "allocatedmethodid", "contractapplied"]),
    ("1.2", &["invoiceid", "pricingcurrency"]),
    (
        "1.1",
        &["capacityreservationid", "commitmentdiscountquantity", "skumeter", "skupricedetails", "servicesubcategory"],
    ),
    ("1.0", &["chargeclass", "contractedcost", "regionid", "consumedquantity"]),
    ("0.5", &["chargetype", "provider", "invoiceissuer", "amortizedcost"]),
    ("1.0-preview", &["chargesubcategory", "chargecategory"]),
];
/// A bill with so few columns that any version could have made it.
const VERSION_UNKNOWN: &str = "unknown";

/// Columns of AWS reports without which figures would be wrong.
const CUR_REQUIRED: [&str; 4] = [
    "line_item_usage_start_date",
    "line_item_line_item_type",
    "line_item_unblended_cost",
    "line_item_usage_account_id",
];
/// Columns that only version 2.0 has.
const CUR2_MARKS: [&str; 5] =
    ["resource_tags", "tags", "product", "bill_payer_account_name", "line_item_usage_account_name"];
/// Columns of AWS reports whose absence is reported, since less is known without them. AWS leaves out many of the others
/// where a bill has no use for them.
const CUR_EXPECTED: [(&str, &str); 8] = [
    ("line_item_resource_id", "no_resource_ids: no finding can name a resource"),
    ("line_item_currency_code", "all amounts are taken for USD"),
    ("line_item_usage_end_date", "hours of usage are unknown"),
    ("bill_billing_period_start_date", "the month of the charge is taken for the billing month"),
    ("bill_payer_account_id", "the paying account is unknown"),
    ("line_item_product_code", "services are unknown"),
    ("line_item_usage_type", "what is charged for is known by its description only"),
    ("line_item_line_item_description", "what is charged for is known by its usage type only"),
];
/// Columns from which a file without all that are required is taken for an AWS report.
const CUR_NAMES_MIN: usize = 3;

const OTHERS: [OtherExport; 7] = [
    OtherExport {
        what: "a FOCUS contract commitment dataset",
        advice: "load the FOCUS cost and usage dataset of the same export",
        marks: &[&["contractcommitmentid", "contractid"]],
    },
    OtherExport {
        what: "a FOCUS invoice detail dataset",
        advice: "load the FOCUS cost and usage dataset of the same export",
        marks: &[&["invoicedetailid", "invoiceid"]],
    },
    OtherExport {
        what: "an AWS detailed billing report",
        advice: AWS_ADVICE,
        marks: &[&["linkedaccountid", "recordtype"], &["linked_account_id", "record_type"]],
    },
    OtherExport {
        what: "an Azure cost export (actual or amortized cost)",
        advice: "create an Azure export of the dataset \"Cost and usage details (FOCUS)\"",
        marks: &[&["costinbillingcurrency"], &["pretaxcost"], &["metercategory"], &["meter_category"]],
    },
    OtherExport {
        what: "a Google Cloud billing export (standard or detailed)",
        advice: "export the FOCUS view over it (BigQuery) as CSV or Parquet",
        marks: &[&["usage_start_time", "cost"], &["service_description", "cost"]],
    },
    OtherExport {
        what: "an Oracle cloud cost report",
        advice: "take the files of the folder \"FOCUS Reports\" of the same bucket",
        marks: &[&["line_item_interval_usage_start"]],
    },
    OtherExport {
        what: "a Cost Explorer download",
        advice: AWS_ADVICE,
        marks: &[&["service", "total_costs"], &["linked_account_total"]],
    },
];

const AWS_ADVICE: &str =
    "create an AWS Data Exports export of the table CUR 2.0, or FOCUS 1.2 (or 1.0) with AWS columns";
/// FOCUS names from which a file without `BilledCost` is taken for FOCUS.
const FOCUS_NAMES_MIN: usize = 3;

/// The export these columns belong to.
#[must_use]
pub fn recognise(columns: &[String]) -> Recognised {
    let lower: Vec<String> = columns.iter().map(|c| c.trim().to_lowercase()).collect();
    let has = |name: &&str| lower.iter().any(|c| c == name);
    let has_any = |names: &[&str]| names.iter().any(&has);
    let version = version(has);
    let missing: Vec<_> = REQUIRED.iter().filter(|(_, names)| !has_any(names)).map(|(name, _)| *name).collect();
    if missing.is_empty() {
        let lacking = EXPECTED.iter().filter(|(_, names, _)| !has_any(names));
        let missing = lacking.map(|(name, _, effect)| (*name, *effect)).collect();
        return Recognised::Focus { version, missing };
    }
    let header = Header::new(columns);
    if !has(&"billedcost")
        && let Some(report) = report_of_aws(&header)
    {
        return report;
    }
    let is_there = |mark: &&str| has(mark) || header.has(mark);
    let other = OTHERS.iter().find(|other| other.marks.iter().any(|group| group.iter().all(is_there)));
    match other {
        Some(other) if !has(&"billedcost") => Recognised::Other(other),
        _ => {
            let expected = EXPECTED.iter().map(|(_, names, _)| *names);
            let names = REQUIRED.iter().map(|(_, names)| *names).chain(expected);
            let known = names.filter(|names| has_any(names)).count();
            let is_focus = has(&"billedcost") || known >= FOCUS_NAMES_MIN;
            if is_focus { Recognised::FocusIncomplete { version, missing } } else { Recognised::Unknown }
        }
    }
}

/// The dialect whose columns a file of no dialect has most of, in words.
#[must_use]
pub fn nearest(columns: &[String]) -> String {
    let lower: Vec<String> = columns.iter().map(|c| c.trim().to_lowercase()).collect();
    let header = Header::new(columns);
    let focus = |names: &[&str]| names.iter().any(|name| lower.iter().any(|column| column == name));
    let required = REQUIRED.iter().map(|(name, names)| (*name, focus(names)));
    let of_focus: Vec<_> = required.chain(EXPECTED.iter().map(|(name, names, _)| (*name, focus(names)))).collect();
    let names = CUR_REQUIRED.iter().chain(CUR_EXPECTED.iter().map(|(name, _)| name)).chain(&CUR2_MARKS);
    let of_aws: Vec<_> = names.map(|name| (*name, header.has(name))).collect();
    let count = |of: &[(&str, bool)]| of.iter().filter(|(_, is_there)| *is_there).count();
    let (title, of, required) = match count(&of_focus) >= count(&of_aws) {
        true => (Dialect::Focus.title(), of_focus, REQUIRED.len()),
        false => (Dialect::Cur2.title(), of_aws, CUR_REQUIRED.len()),
    };
    let listed = |of: &[(&'static str, bool)], is_wanted: bool| {
        let names = of.iter().filter(|(_, is_there)| *is_there == is_wanted).map(|(name, _)| *name);
        names.collect::<Vec<_>>().join(", ")
    };
    if count(&of) == 0 {
        return format!("no column is of any dialect; the nearest, {title}, needs {}", listed(&of[..required], false));
    }
    let lacking = listed(&of[..required], false);
    format!("the nearest dialect is {title}: it has {} and lacks {lacking}", listed(&of, true))
}

/// The AWS report with these columns; `None` when it is none.
fn report_of_aws(header: &Header) -> Option<Recognised> {
    let is_missing = |name: &&&str| !header.has(name);
    let missing: Vec<_> = CUR_REQUIRED.iter().filter(is_missing).copied().collect();
    if missing.is_empty() {
        let is_cur2 = CUR2_MARKS.iter().any(|mark| header.has(mark));
        let lacking = CUR_EXPECTED.iter().filter(|(name, _)| !header.has(name)).copied().collect();
        let dialect = if is_cur2 { Dialect::Cur2 } else { Dialect::Legacy };
        return Some(Recognised::Cur { dialect, missing: lacking });
    }
    let expected = CUR_EXPECTED.iter().map(|(name, _)| name);
    let known = CUR_REQUIRED.iter().chain(expected).filter(|name| header.has(name)).count();
    (known >= CUR_NAMES_MIN).then_some(Recognised::CurIncomplete { missing })
}

fn version(has: impl Fn(&&str) -> bool) -> &'static str {
    // 1.4 dropped the name that 1.3 still has beside the new ones.
    if has(&"serviceprovidername") && !has(&"providername") {
        return VERSIONS[0].0;
    }
    let brought = VERSIONS.iter().find(|(_, names)| names.iter().any(&has));
    brought.map_or(VERSION_UNKNOWN, |(version, _)| *version)
}

#[cfg(test)]
mod tests {
    use super::*;

    const BILL: &str = "BILLEDCOST,ChargePeriodStart,billingCurrency,ChargeCategory,SubAccountId";

    fn of(columns: &str) -> Recognised {
        recognise(&columns.split(',').map(str::to_owned).collect::<Vec<_>>())
    }

    #[test]
    fn dialects_have_names() {
        assert_eq!(Dialect::ALL.map(Dialect::as_str), Dialect::NAMES);
        assert_eq!((Dialect::of_name("cur2"), Dialect::of_name("cur3")), (Some(Dialect::Cur2), None));
    }

    #[test]
    fn columns_tell_the_version() {
        let cases = [
            ("InvoiceDetailId,ServiceProviderName,InvoiceId", "1.4"),
            ("ServiceProviderName", "1.4"),
            ("ProviderName,ServiceProviderName,InvoiceId", "1.3"),
            ("ProviderName,PricingCurrency,SkuMeter", "1.2"),
            ("ProviderName,SkuMeter,ChargeClass", "1.1"),
            ("ProviderName,ChargeClass,BillingAccountType", "1.0"),
            ("ProviderName,ChargeSubcategory", "1.0-preview"),
            ("Provider,ChargeType", "0.5"),
        ];
        for (columns, expected) in cases {
            let Recognised::Focus { version, .. } = of(&format!("{BILL},{columns}")) else { panic!("{columns}") };
            assert_eq!(version, expected, "{columns}");
        }
    }

    #[test]
    fn a_column_that_figures_need_is_named_when_it_is_missing() {
        for (name, _) in REQUIRED.iter().take(4) {
            let columns: Vec<_> = BILL.split(',').filter(|column| !column.eq_ignore_ascii_case(name)).collect();
            let missing = vec![*name];
            match of(&columns.join(",")) {
                Recognised::FocusIncomplete { missing: found, .. } => assert_eq!(found, missing),
                other => panic!("{name}: {other:?}"),
            }
        }
        let Recognised::Focus { missing, .. } = of(BILL) else { panic!() };
        assert_eq!(missing.len(), EXPECTED.len());
    }

    #[test]
    fn reports_of_aws_are_distinguished_by_what_only_one_has() {
        let flat = "lineItem/UsageStartDate,lineItem/LineItemType,lineItem/UnblendedCost,lineItem/UsageAccountId";
        let dialect = |columns: &str| match of(columns) {
            Recognised::Cur { dialect, .. } => Some(dialect),
            _ => None,
        };
        assert_eq!(dialect(flat), Some(Dialect::Legacy));
        assert_eq!(dialect(&format!("{flat},resourceTags/user:x,product/region")), Some(Dialect::Legacy));
        for mark in CUR2_MARKS {
            assert_eq!(dialect(&format!("{flat},{mark}")), Some(Dialect::Cur2), "{mark}");
        }
        let capitals = "LINE_ITEM_USAGE_START_DATE,LINE_ITEM_LINE_ITEM_TYPE,LINE_ITEM_UNBLENDED_COST,PRODUCT,";
        assert_eq!(dialect(&format!("{capitals}LINE_ITEM_USAGE_ACCOUNT_ID")), Some(Dialect::Cur2));
        let Recognised::Cur { missing, .. } = of(flat) else { panic!() };
        assert_eq!(missing.len(), CUR_EXPECTED.len());
        for name in flat.split(',') {
            let columns: Vec<_> = flat.split(',').filter(|column| *column != name).collect();
            let Recognised::CurIncomplete { missing } = of(&columns.join(",")) else { panic!("{name}") };
            assert_eq!(missing.len(), 1, "{name}");
        }
        assert_eq!(of("lineItem/UsageStartDate,lineItem/UnblendedCost"), Recognised::Unknown);
    }

    #[test]
    fn other_exports_are_distinguished() {
        let cases = [
            ("Date,MeterCategory,CostInBillingCurrency,Tags", "an Azure cost export (actual or amortized cost)"),
            ("billing_account_id,service.description,cost", "a Google Cloud billing export (standard or detailed)"),
            ("ContractCommitmentId,ContractId,BillingCurrency", "a FOCUS contract commitment dataset"),
            ("lineItem/intervalUsageStart,cost/myCost", "an Oracle cloud cost report"),
        ];
        for (columns, expected) in cases {
            match of(columns) {
                Recognised::Other(other) => assert_eq!(other.what, expected),
                unexpected => panic!("{columns}: {unexpected:?}"),
            }
        }
        assert_eq!(of("date,amount"), Recognised::Unknown);
    }
}
