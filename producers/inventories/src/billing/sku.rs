//! What a FOCUS export says of a SKU beside its meter, as far as checkers look at it.

use super::tags;

/// Columns of the SKU. Exports with usage types (AWS) need none of them.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Sku {
    /// The product of AWS: `SkuId`, `product_sku`. Two may have one usage type and operation, such as two licences of one operating system.
    pub product: Option<String>,
    /// Service that the meter is of, which may be another one than the service that charges for it: `x_SkuMeterCategory` of Azure.
    pub category: Option<String>,
    /// Product that the meter is of: `x_SkuMeterSubcategory` of Azure.
    pub subcategory: Option<String>,
    /// Kind of the service, of the closed list of FOCUS: `ServiceSubcategory`, 1.1 and later.
    pub kind: Option<String>,
    /// Unit of the quantity: `PricingUnit`.
    pub unit: Option<String>,
    /// Instance type.
    pub instance_type: Option<String>,
    /// Operating system.
    pub operating_system: Option<String>,
    /// Storage class.
    pub storage_class: Option<String>,
}

/// Keys of an instance type: that of FOCUS 1.2 and later, and those of Azure before it.
///
/// Source: FOCUS 1.2 to 1.4, `SkuPriceDetails`; the queries over exports of Azure in github.com/microsoft/finops-toolkit
/// (`IngestionSetup_v1_2.kql`), May 2026.
const INSTANCE_TYPE: [&str; 3] = ["InstanceType", "x_ServiceType", "ServiceType"];
/// Keys of an operating system, from the same sources.
const OPERATING_SYSTEM: [&str; 3] = ["OperatingSystem", "x_ImageType", "ImageType"];

impl Sku {
    /// With what the cell of `SkuPriceDetails` (or `x_SkuDetails` of Azure) says.
    #[must_use]
    pub fn with_details(self, cell: Option<&str>) -> Self {
        let Some(details) = cell.and_then(tags::parse) else { return self };
        let first = |keys: &[&str]| keys.iter().find_map(|key| details.get(*key)).cloned();
        Self {
            instance_type: first(&INSTANCE_TYPE),
            operating_system: first(&OPERATING_SYSTEM),
            storage_class: first(&["StorageClass"]),
            ..self
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn details_of_all_versions_name_the_instance_type() {
        let cases = [
            (
                r#"{"InstanceType":"e2-standard-4","CoreCount":4,"OperatingSystem":"Linux","x_Spot":null}"#,
                "e2-standard-4",
                "Linux",
            ),
            (r#"{"ServiceType":"Standard_D2s_v3","ImageType":"Canonical","VCPUs":2}"#, "Standard_D2s_v3", "Canonical"),
            (r#"{"x_ServiceType":"Standard_D2s_v3"}"#, "Standard_D2s_v3", ""),
            ("{}", "", ""),
            ("no details", "", ""),
        ];
        for (cell, instance_type, system) in cases {
            let sku = Sku::default().with_details(Some(cell));
            let text = |text: &Option<String>| text.clone().unwrap_or_default();
            assert_eq!((&*text(&sku.instance_type), &*text(&sku.operating_system)), (instance_type, system), "{cell}");
        }
    }
}
