//! The software that an instance hour pays for beside the instance: licences that no commitment discounts.

use inventories::billing::line::UsageLine;
use inventories::billing::meter::Meter;
use rust_decimal::Decimal;

/// Edition of SQL Server.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum SqlEdition {
    Web,
    Standard,
    Enterprise,
}

/// A Linux that costs something.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub(super) enum PaidLinux {
    /// Red Hat Enterprise Linux without its add-on for high availability.
    RedHat,
    /// Another, such as SUSE, Ubuntu Pro or Red Hat with the add-on.
    Other,
}

/// What is in the price of an instance hour.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub(super) struct Software {
    /// Windows with its licence.
    windows: bool,
    /// SQL Server with its licence.
    sql: Option<SqlEdition>,
    /// A Linux that costs something.
    linux: Option<PaidLinux>,
}

/// Operation codes of EC2 that pay for software; all others, such as `RunInstances` and `RunInstances:0800` (a Windows licence of the
/// customer), pay for the instance only.
///
/// Source: Amazon EC2 User Guide, "AMI billing information fields", November 2026.
const OPERATIONS: [(&str, Software); 17] = [
    ("0002", software(true, None, None)),
    ("0006", software(true, Some(SqlEdition::Standard), None)),
    ("0102", software(true, Some(SqlEdition::Enterprise), None)),
    ("0202", software(true, Some(SqlEdition::Web), None)),
    ("0004", software(false, Some(SqlEdition::Standard), None)),
    ("0100", software(false, Some(SqlEdition::Enterprise), None)),
    ("0200", software(false, Some(SqlEdition::Web), None)),
    ("000g", software(false, None, Some(PaidLinux::Other))),
    ("0g00", software(false, None, Some(PaidLinux::Other))),
    ("0010", software(false, None, Some(PaidLinux::RedHat))),
    ("1010", software(false, None, Some(PaidLinux::Other))),
    ("0014", software(false, Some(SqlEdition::Standard), Some(PaidLinux::RedHat))),
    ("1014", software(false, Some(SqlEdition::Standard), Some(PaidLinux::Other))),
    ("0110", software(false, Some(SqlEdition::Enterprise), Some(PaidLinux::RedHat))),
    ("1110", software(false, Some(SqlEdition::Enterprise), Some(PaidLinux::Other))),
    ("0210", software(false, Some(SqlEdition::Web), Some(PaidLinux::RedHat))),
    ("1210", software(false, Some(SqlEdition::Web), Some(PaidLinux::Other))),
];

const fn software(windows: bool, sql: Option<SqlEdition>, linux: Option<PaidLinux>) -> Software {
    Software { windows, sql, linux }
}

/// Licence of Windows Server per vCPU hour, in USD: the same for every instance type of generation 4 and later but those with CPU
/// credits, and in every region.
/// Source: Amazon EC2 User Guide, "Optimize CPUs for License-Included instances", November 2026 (0.046); so it was in the on-demand
/// prices of September 2024 (m5.large 0.188 − 0.096 for 2 vCPU; m5.4xlarge 1.504 − 0.768 for 16).
const WINDOWS_VCPU_HOUR_USD: Decimal = Decimal::from_parts(46, 0, 0, false, 3);

/// Licence of SQL Server per vCPU hour, in USD, for at least [`SQL_VCPU_MIN`].
/// Source: the same page, which has them with Windows and to three places (Web 0.063, Standard 0.166, Enterprise 0.421), and on-demand prices
/// of September 2024 (m5.xlarge with Windows 0.376; with SQL Web 0.443, Standard 0.856, Enterprise 1.876).
const SQL_VCPU_HOUR_USD: [(SqlEdition, Decimal); 3] = [
    (SqlEdition::Web, Decimal::from_parts(1675, 0, 0, false, 5)),
    (SqlEdition::Standard, Decimal::from_parts(12, 0, 0, false, 2)),
    (SqlEdition::Enterprise, Decimal::from_parts(375, 0, 0, false, 3)),
];
const SQL_VCPU_MIN: u32 = 4;

/// Red Hat Enterprise Linux per vCPU hour, in USD, of machines with at most so many vCPU; of larger ones no source was found.
/// Source: the price model since July 2024 as customers compared it with the one before (0.06 an hour up to 4 vCPU, 0.13 above): c5.xlarge
/// 0.0024 less for 4 vCPU, c5.4xlarge 0.0428 more for 16, and up to 12 vCPU less than before.
const RED_HAT_VCPU_HOUR_USD: [(u32, Decimal); 2] =
    [(8, Decimal::from_parts(144, 0, 0, false, 4)), (127, Decimal::from_parts(108, 0, 0, false, 4))];

impl Software {
    /// The instance alone.
    pub(super) const NONE: Self = software(false, None, None);

    /// Of an instance line: by its operation, else by its description; `None` where neither tells.
    pub(super) fn of(line: &UsageLine) -> Option<Self> {
        if &*line.key.cloud != "aws" {
            return Some(Self::of_sku(&line.key.sku.to_lowercase()));
        }
        Self::of_operation(&line.key.sku).or_else(|| Self::of_description(&line.sums.description))
    }

    /// Azure has its licence of Windows in a product of its own, `Dv3/DSv3 Series Windows`. Other bills name the operating system;
    /// `BYOL` is a licence of the customer.
    fn of_sku(sku: &str) -> Self {
        let windows = match sku.contains(" series") {
            true => sku.contains("series windows"),
            false => sku.contains("windows") && !sku.contains("byol"),
        };
        software(windows, None, None)
    }

    fn of_operation(sku: &str) -> Option<Self> {
        let (_, code) = sku.split_once("/RunInstances")?;
        let code = code.strip_prefix(':').unwrap_or(code);
        Some(OPERATIONS.iter().find(|(known, _)| *known == code).map_or_else(Self::default, |(_, software)| *software))
    }

    /// `Windows with SQL Std` of `$0.668 per On Demand Windows with SQL Std m5.large Instance Hour`.
    fn of_description(description: &str) -> Option<Self> {
        let words = description.split("On Demand ").nth(1)?.split(" Instance Hour").next()?;
        let (system, _) = words.rsplit_once(' ')?;
        let has = |word: &str| system.contains(word);
        let sql = has("SQL").then(|| match () {
            () if has("Web") => SqlEdition::Web,
            () if has("Ent") => SqlEdition::Enterprise,
            () => SqlEdition::Standard,
        });
        let linux = match () {
            () if ["RHEL", "Red Hat"].into_iter().any(has) && !has("HA") => Some(PaidLinux::RedHat),
            () if ["RHEL", "Red Hat", "SUSE", "Ubuntu Pro"].into_iter().any(has) => Some(PaidLinux::Other),
            () => None,
        };
        Some(Self { windows: has("Windows") && !has("BYOL"), sql, linux })
    }

    /// True when it has a licence of Windows.
    pub(super) fn has_windows(self) -> bool {
        self.windows
    }

    /// True when the price is that of the instance alone.
    pub(super) fn is_none(self) -> bool {
        self == Self::NONE
    }

    /// Its licences per hour on an instance type, in USD; `None` when no table tells.
    pub(super) fn licence_hour_usd(self, instance_type: &str) -> Option<Decimal> {
        let vcpu = vcpu_of(instance_type)?;
        let linux = match self.linux {
            None => Decimal::ZERO,
            Some(PaidLinux::RedHat) => {
                let (_, price) = RED_HAT_VCPU_HOUR_USD.iter().find(|(vcpu_max, _)| vcpu <= *vcpu_max)?;
                *price * Decimal::from(vcpu)
            }
            Some(PaidLinux::Other) => return None,
        };
        let windows = if self.windows { WINDOWS_VCPU_HOUR_USD * Decimal::from(vcpu) } else { Decimal::ZERO };
        let sql = SQL_VCPU_HOUR_USD.iter().find(|(edition, _)| Some(*edition) == self.sql);
        Some(linux + windows + sql.map_or(Decimal::ZERO, |(_, price)| *price * Decimal::from(vcpu.max(SQL_VCPU_MIN))))
    }
}

/// vCPU of an instance type of generation 4 or later without CPU credits, which its size tells: `large` has 2, `xlarge` 4, `12xlarge` 48.
fn vcpu_of(instance_type: &str) -> Option<u32> {
    let (family, size) = instance_type.split_once('.')?;
    let generation = family.chars().find_map(|c| c.to_digit(10))?;
    if family.starts_with('t') || generation < 4 {
        return None;
    }
    match size.strip_suffix("xlarge") {
        Some("") => Some(4),
        Some(times) => times.parse::<u32>().ok()?.checked_mul(4),
        None => [("medium", 1), ("large", 2)].iter().find(|(name, _)| *name == size).map(|(_, vcpu)| *vcpu),
    }
}

/// The instance type of a line.
pub(super) fn instance_type(line: &UsageLine) -> Option<&str> {
    match &line.key.meter {
        Meter::InstanceHours(instance_type) => Some(instance_type),
        _ => None,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn operations_and_descriptions_tell_the_same() {
        let cases = [
            ("BoxUsage:m5.large/RunInstances", "Linux", "0"),
            ("BoxUsage:m5.large/RunInstances:0800", "Windows BYOL", "0"),
            ("BoxUsage:m5.large/RunInstances:0002", "Windows", "0.092"),
            ("BoxUsage:m5.large/RunInstances:0006", "Windows with SQL Std", "0.572"),
            ("BoxUsage:m5.large/RunInstances:0202", "Windows with SQL Web", "0.159"),
            ("BoxUsage:m5.large/RunInstances:0100", "Linux with SQL Enterprise", "1.5"),
            ("BoxUsage:m5.large/RunInstances:0010", "RHEL", "0.0288"),
        ];
        for (sku, system, licence) in cases {
            let description = format!("$1 per On Demand {system} m5.large Instance Hour");
            let of = [Software::of_operation(sku), Software::of_description(&description)];
            for software in of {
                let licence_of = software.unwrap().licence_hour_usd("m5.large").unwrap().normalize();
                assert_eq!(licence_of.to_string(), licence, "{sku} {system}");
            }
        }
        for (code, instance_type) in
            [("1010", "m5.large"), ("000g", "m5.large"), ("0010", "m7i.metal-48xl"), ("0010", "u7i.32xlarge")]
        {
            let linux = Software::of_operation(&format!("x/RunInstances:{code}")).unwrap();
            assert_eq!(
                (linux.is_none(), linux.licence_hour_usd(instance_type)),
                (false, None),
                "{code} {instance_type}"
            );
        }
        let rhel =
            |instance_type| Software::of_operation("x/RunInstances:0010").unwrap().licence_hour_usd(instance_type);
        assert_eq!(rhel("c5.xlarge"), Some(Decimal::new(576, 4)), "0.06 − 0.0024");
        assert_eq!(rhel("c5.4xlarge"), Some(Decimal::new(1728, 4)), "0.13 + 0.0428");
    }

    #[test]
    fn sizes_tell_cores_of_current_types_only() {
        let cases = [
            ("m5.large", Some(2)),
            ("r7i.12xlarge", Some(48)),
            ("m7g.medium", Some(1)),
            ("c4.xlarge", Some(4)),
            ("m3.large", None),
            ("t3.large", None),
            ("m5.metal", None),
            ("odd", None),
        ];
        for (instance_type, vcpu) in cases {
            assert_eq!(vcpu_of(instance_type), vcpu, "{instance_type}");
        }
    }
}
