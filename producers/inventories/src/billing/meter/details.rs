//! Meters by the properties that FOCUS defines for a SKU (`SkuPriceDetails`, 1.2 and later): whatever a provider or a tool writes in
//! its descriptions, `InstanceType` of what is charged by the hour in a service for virtual machines is the type of a machine, and
//! `StorageClass` of what is charged by the month in one for objects is the class of these objects.

use super::{Meter, Wording};

/// Services that charge for virtual machines, by the names of FOCUS exports without `ServiceSubcategory`. Databases have instance
/// types as well.
const MACHINES: [&str; 4] = ["AmazonEC2", "Virtual Machines", "Virtual Machine Scale Sets", "Compute Engine"];
const OBJECTS: [&str; 3] = ["AmazonS3", "Storage Accounts", "Cloud Storage"];

/// The meter of a row; `None` when the properties do not tell it.
pub(super) fn meter(row: Wording<'_>) -> Option<Meter> {
    let unit = row.unit?.to_lowercase();
    // Block sizes stand in front: `1 Hour`.
    let unit = unit.trim_start_matches(|c: char| c.is_ascii_digit() || c == ' ');
    if is_of(row, "Virtual Machines", &MACHINES) && ["hour", "hours", "hrs"].contains(&unit) {
        return row.instance_type.map(|name_of_type| Meter::InstanceHours(name(name_of_type)));
    }
    let is_by_month = ["gb", "gib", "gibibyte"].iter().any(|size| unit.starts_with(size)) && unit.contains("mo");
    if is_of(row, "Object Storage", &OBJECTS) && is_by_month {
        return row.storage_class.map(|class| match class {
            "Standard" | "Hot" => Meter::ObjectStandard,
            _ => Meter::ObjectTiered,
        });
    }
    None
}

fn is_of(row: Wording<'_>, kind: &str, services: &[&str]) -> bool {
    row.kind.map_or_else(|| services.contains(&row.service), |of_row| of_row == kind)
}

/// The name of an instance type. `Standard_D4s_v5` is the name of a template of Azure and `D4s v5` that of its meter: they are one.
pub(super) fn name(instance_type: &str) -> std::sync::Arc<str> {
    match instance_type.strip_prefix("Standard_") {
        Some(name) => name.replace('_', " ").into(),
        None => instance_type.into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_instance_type_by_the_hour_is_an_instance() {
        let hours = |name: &str| Some(Meter::InstanceHours(name.into()));
        let cases = [
            ("Compute Engine", "", "Hours", "e2-standard-4", hours("e2-standard-4")),
            ("Virtual Machines", "", "1 Hour", "Standard_D4s_v5", hours("D4s v5")),
            ("AmazonEC2", "", "Hrs", "m5.large", hours("m5.large")),
            ("AmazonRDS", "", "Hrs", "db.m5.large", None),
            ("Any Name", "Virtual Machines", "Hours", "x-4", hours("x-4")),
            ("Compute Engine", "Containers", "Hours", "e2-standard-4", None),
            ("Virtual Machines", "", "GB/Month", "Standard_D4s_v5", None),
        ];
        for (service, kind, unit, instance_type, expected) in cases {
            let row = Wording {
                service,
                kind: Some(kind).filter(|kind| !kind.is_empty()),
                unit: Some(unit),
                instance_type: Some(instance_type),
                ..Wording::default()
            };
            assert_eq!(meter(row), expected, "{service} {kind} {unit}");
        }
        assert_eq!(meter(Wording { service: "AmazonEC2", unit: Some("Hrs"), ..Wording::default() }), None);
    }

    #[test]
    fn a_storage_class_by_the_month_is_object_storage() {
        let cases = [
            ("Object Storage", "GB-Months", "Hot", Some(Meter::ObjectStandard)),
            ("Object Storage", "GB-Mo", "Standard", Some(Meter::ObjectStandard)),
            ("Object Storage", "gibibyte month", "Nearline", Some(Meter::ObjectTiered)),
            ("Object Storage", "Requests", "Standard", None),
            ("File Storage", "GB-Months", "Standard", None),
        ];
        for (kind, unit, class, expected) in cases {
            let row = Wording { kind: Some(kind), unit: Some(unit), storage_class: Some(class), ..Wording::default() };
            assert_eq!(meter(row), expected, "{kind} {unit} {class}");
        }
    }
}
