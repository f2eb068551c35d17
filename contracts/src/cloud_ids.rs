//! The one spelling of an account, a billing account, a region and a resource of a cloud. Two texts that a cloud takes for the same
//! have the same spelling here. Bills and findings are compared by it; `exporter/sql/attribution_keys.sql` says the same in SQL,
//! and a test compares the two.

use std::borrow::Cow;

/// Digits of an account of AWS.
const AWS_ACCOUNT_DIGITS: usize = 12;
/// In front of the id of a subscription, where a bill names it by its path.
const SUBSCRIPTION: &str = "/subscriptions/";
/// Segments of the paths of billing accounts, in lower case and as Azure documents them.
const AZURE_BILLING_SEGMENTS: [(&str, &str); 5] = [
    ("/providers/microsoft.billing/", "/providers/Microsoft.Billing/"),
    ("/billingaccounts/", "/billingAccounts/"),
    ("/billingprofiles/", "/billingProfiles/"),
    ("/invoicesections/", "/invoiceSections/"),
    ("/enrollmentaccounts/", "/enrollmentAccounts/"),
];
/// Characters of a GUID, and where its hyphens are.
const GUID_BYTES: usize = 36;
const GUID_HYPHENS: [usize; 4] = [8, 13, 18, 23];

/// An account: on AWS with the leading zeros that spreadsheets lose, a subscription of Azure as its path in lower case, a project of
/// Google Cloud as its id.
#[must_use]
pub fn account<'a>(cloud: &str, id: &'a str) -> Cow<'a, str> {
    match cloud {
        "aws" if id.len() < AWS_ACCOUNT_DIGITS && !id.is_empty() && id.bytes().all(|b| b.is_ascii_digit()) => {
            format!("{id:0>AWS_ACCOUNT_DIGITS$}").into()
        }
        "azure" => {
            let path = azure(id);
            let bare = path.strip_prefix("subscriptions/").or_else(|| Some(&*path).filter(|path| is_guid(path)));
            match bare {
                Some(bare) => format!("{SUBSCRIPTION}{bare}").into(),
                None => azure_billing(path),
            }
        }
        "gcp" => google(id, "//cloudresourcemanager.googleapis.com/", "projects/").into(),
        _ => id.into(),
    }
}

/// An account that pays: on Azure its path in the letters that Azure documents, and its id in lower case.
#[must_use]
pub fn billing_account<'a>(cloud: &str, id: &'a str) -> Cow<'a, str> {
    match cloud {
        "azure" => azure_billing(azure(id)),
        "gcp" => google(id, "//cloudbilling.googleapis.com/", "billingAccounts/").into(),
        _ => account(cloud, id),
    }
}

/// The subscription that the path of a resource of Azure lies in.
#[must_use]
pub fn account_of_resource(cloud: &str, resource: &str) -> Option<String> {
    if cloud != "azure" {
        return None;
    }
    let path = azure(resource);
    let subscription = path.strip_prefix(SUBSCRIPTION)?.split('/').next().filter(|id| !id.is_empty())?;
    Some(format!("{SUBSCRIPTION}{subscription}"))
}

/// A region in lower case; on Azure also without blanks: `West Europe` is `westeurope`.
#[must_use]
pub fn region(cloud: &str, name: &str) -> String {
    let name = name.to_lowercase();
    if cloud == "azure" { name.replace(' ', "") } else { name }
}

/// A resource. Azure compares ids without case, and spells one as whatever asked for it did.
#[must_use]
pub fn resource<'a>(cloud: &str, id: &'a str) -> Cow<'a, str> {
    if cloud == "azure" { azure(id) } else { id.into() }
}

fn azure_billing(path: Cow<'_, str>) -> Cow<'_, str> {
    if !path.starts_with('/') || path.starts_with(SUBSCRIPTION) {
        return path;
    }
    let spelled = |path: String, (lower, documented): &(&str, &str)| path.replacen(lower, documented, 1);
    AZURE_BILLING_SEGMENTS.iter().fold(path.into_owned(), spelled).into()
}

/// In lower case, without slashes at the end.
fn azure(id: &str) -> Cow<'_, str> {
    let id = id.trim_end_matches('/');
    if id.chars().any(char::is_uppercase) { id.to_lowercase().into() } else { id.into() }
}

fn google<'a>(id: &'a str, service: &str, kind: &str) -> &'a str {
    let id = id.trim_end_matches('/');
    let id = id.strip_prefix(service).unwrap_or(id);
    id.strip_prefix(kind).filter(|rest| !rest.is_empty()).unwrap_or(id)
}

fn is_guid(text: &str) -> bool {
    let is_right = |(at, b): (usize, u8)| if GUID_HYPHENS.contains(&at) { b == b'-' } else { b.is_ascii_hexdigit() };
    text.len() == GUID_BYTES && text.bytes().enumerate().all(is_right)
}

#[cfg(test)]
mod tests {
    use super::*;

    const GUID: &str = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";

    #[test]
    fn an_account_has_one_spelling() {
        let path = format!("/subscriptions/{GUID}");
        for spelling in [
            GUID.to_owned(),
            GUID.to_uppercase(),
            path.clone(),
            path.to_uppercase(),
            format!("{path}/"),
            path[1..].to_owned(),
        ] {
            assert_eq!(account("azure", &spelling), path, "{spelling}");
        }
        let cases = [
            ("aws", "11353890204", "011353890204"),
            ("aws", "1234567890123", "1234567890123"),
            ("azure", "8611537", "8611537"),
            (
                "azure",
                "/PROVIDERS/Microsoft.Billing/billingaccounts/1",
                "/providers/Microsoft.Billing/billingAccounts/1",
            ),
            ("gcp", "projects/shop-1", "shop-1"),
            ("gcp", "//cloudresourcemanager.googleapis.com/projects/shop-1", "shop-1"),
            ("gcp", "shop-1", "shop-1"),
            ("oci", "ocid1.Tenancy", "ocid1.Tenancy"),
            ("unknown", GUID, GUID),
        ];
        for (cloud, spelling, expected) in cases {
            assert_eq!(account(cloud, spelling), expected);
        }
    }

    #[test]
    fn a_billing_account_has_one_spelling() {
        let documented = "/providers/Microsoft.Billing/billingAccounts/8a:9b_2019-05-31/billingProfiles/aw4f-bg7";
        for spelling in [documented.to_owned(), documented.to_uppercase(), documented.to_lowercase() + "/"] {
            assert_eq!(billing_account("azure", &spelling), documented, "{spelling}");
        }
        assert_eq!(
            billing_account("azure", &GUID.to_uppercase()),
            GUID,
            "the id of a billing account is no subscription"
        );
        assert_eq!(billing_account("gcp", "billingAccounts/0A0A0A-1B1B1B-2C2C2C"), "0A0A0A-1B1B1B-2C2C2C");
        assert_eq!(billing_account("aws", "1"), "000000000001");
    }

    #[test]
    fn regions_and_resources_have_one_spelling() {
        assert_eq!([region("azure", "West Europe"), region("aws", "US-East-1")], ["westeurope", "us-east-1"]);
        assert_eq!(resource("azure", "/subscriptions/A/resourceGroups/RG/"), "/subscriptions/a/resourcegroups/rg");
        assert_eq!(resource("aws", "My-Function"), "My-Function");
        let of = |cloud, id| account_of_resource(cloud, id);
        assert_eq!(of("azure", "/SUBSCRIPTIONS/A/resourceGroups/RG").as_deref(), Some("/subscriptions/a"));
        assert_eq!(
            [of("azure", "/subscriptions/"), of("azure", "vm1"), of("aws", "/subscriptions/a/b")],
            [None, None, None]
        );
    }
}
