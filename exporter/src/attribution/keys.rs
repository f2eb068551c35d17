//! The keys of `sql/attribution_keys.sql`, by table.

use contracts::cloud_ids;

use crate::duck::{Duck, DuckLimits, literal};

/// Compares what an expression over `x` gives for texts, as text; `None` is null.
fn check(expression: &str, cases: &[(&str, Option<&str>)]) {
    let duck = Duck::open(&DuckLimits { threads: 1, ..DuckLimits::default() }).unwrap();
    duck.run("keys", include_str!("../../sql/attribution_keys.sql")).unwrap();
    for (given, expected) in cases {
        let sql = format!("SELECT CAST({expression} AS VARCHAR) FROM (SELECT {} AS x)", literal(given));
        let found: Option<Option<String>> = duck.value("asking", &sql).unwrap();
        assert_eq!(found.flatten().as_deref(), *expected, "{expression} of {given:?}");
    }
}

#[test]
fn accounts_get_their_leading_zeros_back() {
    let cases = [
        ("55413496693", Some("055413496693")),
        (" 055413496693 ", Some("055413496693")),
        ("1", Some("000000000001")),
        ("", None),
        (" ", None),
        ("my-project", Some("my-project")),
        ("1234567890123", Some("1234567890123")),
    ];
    check("padded_account(x, 'aws')", &cases);
    check("padded_account(x, '')", &cases);
    check(
        "padded_account(x, 'azure')",
        &[
            ("55413496693", Some("55413496693")),
            ("", None),
            ("8E9F-AB", Some("8e9f-ab")),
            ("/subscriptions/8e9f-AB", Some("8e9f-ab")),
            ("/Subscriptions/8e9f-AB/", Some("8e9f-ab")),
            ("/providers/Microsoft.Billing/billingAccounts/1:2", Some("1:2")),
            ("/PROVIDERS/microsoft.billing/billingaccounts/1:2/", Some("1:2")),
            ("projects/shop-1", Some("shop-1")),
            ("//cloudresourcemanager.googleapis.com/projects/shop-1", Some("shop-1")),
            ("billingAccounts/0A-1B", Some("0a-1b")),
            ("acme/shop", Some("acme/shop")),
        ],
    );
}

/// Whether an expression over `x` and `y` holds for two texts.
fn agree(duck: &Duck, expression: &str, x: &str, y: &str) -> bool {
    let sql = format!("SELECT {expression} FROM (SELECT {} AS x, {} AS y)", literal(x), literal(y));
    duck.value::<Option<bool>>("asking", &sql).unwrap().flatten().unwrap()
}

#[test]
fn bills_and_findings_agree_on_what_is_the_same() {
    let duck = Duck::open(&DuckLimits { threads: 1, ..DuckLimits::default() }).unwrap();
    duck.run("keys", include_str!("../../sql/attribution_keys.sql")).unwrap();
    let guid = "0a1b2c3d-4e5f-6789-abcd-ef0123456789";
    let path = format!("/Subscriptions/{}/", guid.to_uppercase());
    let vm = format!("/subscriptions/{guid}/resourceGroups/RG/x");
    let accounts = [
        ("aws", "1", "000000000001", true),
        ("azure", guid, &path, true),
        ("azure", guid, "8611537", false),
        (
            "azure",
            "/providers/Microsoft.Billing/billingAccounts/a",
            "/PROVIDERS/microsoft.billing/billingaccounts/A/",
            true,
        ),
        ("gcp", "projects/shop-1", "shop-1", true),
        ("gcp", "//cloudresourcemanager.googleapis.com/projects/shop-1", "shop-1/", true),
        ("gcp", "shop-1", "shop-2", false),
    ];
    for (cloud, x, y, expected) in accounts {
        let spelled = |id| cloud_ids::account(cloud, id);
        assert_eq!(spelled(x) == spelled(y), expected, "{x} and {y}");
        let sql = format!("padded_account(x, '{cloud}') = padded_account(y, '{cloud}')");
        assert_eq!(agree(&duck, &sql, x, y), expected, "{x} and {y}");
        // The account of a fact, which the load has spelled, and that of a finding as its producer spelled it.
        assert_eq!(
            agree(&duck, &format!("canonical_account(x) = padded_account(y, '{cloud}')"), &spelled(x), y),
            expected
        );
    }
    for (x, y, expected) in
        [(vm.as_str(), &*vm.to_uppercase(), true), (&vm, &format!("{vm}/"), true), (&vm, &format!("{vm}y"), false)]
    {
        assert_eq!(cloud_ids::resource("azure", x) == cloud_ids::resource("azure", y), expected);
        assert_eq!(agree(&duck, "canonical_id(x) = canonical_id(y)", x, y), expected);
    }
    for (x, y, expected) in [("West Europe", "westeurope", true), ("West Europe", "northeurope", false)] {
        assert_eq!(cloud_ids::region("azure", x) == cloud_ids::region("azure", y), expected);
        assert_eq!(agree(&duck, "canonical_region(x) = canonical_region(y)", x, y), expected);
    }
}

#[test]
fn ids_are_canonical() {
    check(
        "canonical_id(x)",
        &[
            (" i-0abc ", Some("i-0abc")),
            ("", None),
            ("  ", None),
            ("arn:aws:logs:r:1:log-group:/a:*", Some("arn:aws:logs:r:1:log-group:/a")),
            ("name:*", Some("name:*")),
            ("/subscriptions/AB-1/resourceGroups/RG/x", Some("/subscriptions/ab-1/resourcegroups/rg/x")),
            (" /SUBSCRIPTIONS/ab-1/X ", Some("/subscriptions/ab-1/x")),
            ("/subscriptions/ab-1/x/", Some("/subscriptions/ab-1/x")),
            (
                "/providers/Microsoft.Capacity/reservationOrders/1",
                Some("/providers/microsoft.capacity/reservationorders/1"),
            ),
            ("//compute.googleapis.com/projects/p/zones/z/instances/n", Some("projects/p/zones/z/instances/n")),
            ("projects/p/zones/z/instances/n/", Some("projects/p/zones/z/instances/n/")),
            (
                "https://www.googleapis.com/compute/v1/projects/p/zones/z/instances/n",
                Some("projects/p/zones/z/instances/n"),
            ),
            ("https://compute.googleapis.com/compute/beta/projects/p/x", Some("projects/p/x")),
            ("https://sqladmin.googleapis.com/v1beta4/projects/p/instances/i", Some("projects/p/instances/i")),
            ("/aws/Lambda", Some("/aws/Lambda")),
            ("arn:aws:logs:r:1:log-group:/a", Some("arn:aws:logs:r:1:log-group:/a")),
        ],
    );
}

#[test]
fn usage_types_of_a_family_meter_the_same() {
    check(
        "usage_family(x)",
        &[
            ("EUW3-EBS:VolumeUsage.gp3", Some("EUW3-EBS:VolumeUsage")),
            ("EBS:VolumeUsage", Some("EBS:VolumeUsage")),
            ("EBS:VolumeP-IOPS.gp3", Some("EBS:VolumeP-IOPS")),
            ("BoxUsage:m6i.large", Some("BoxUsage")),
            ("InstanceUsage:db.r6g.2xlarge", Some("InstanceUsage")),
            ("NatGateway-Bytes", Some("NatGateway-Bytes")),
            ("P10 LRS Disk", Some("P10 LRS Disk")),
        ],
    );
}

#[test]
fn provider_ids_are_unique_by_themselves() {
    check(
        "is_provider_id(x)",
        &[
            ("i-0930001b6263d4c77", Some("true")),
            ("vol-0154ca7e", Some("true")),
            ("nat-0b7b7f792d136faaf", Some("true")),
            ("vol-0154ca7", Some("false")),
            ("I-0930001b6263d4c77", Some("false")),
            ("my-bucket", Some("false")),
            ("x-0154ca7e/", Some("false")),
            ("1-0154ca7e", Some("false")),
        ],
    );
}

#[test]
fn short_ids_by_service() {
    let of = |rest: &str| format!("arn:aws:{rest}");
    let cases = [
        ("s3:::bucket", Some("bucket")),
        ("s3:::bucket/key/of", Some("bucket")),
        ("lambda:r:1:function:name", Some("name")),
        ("lambda:r:1:function:name:7", Some("name")),
        ("logs:r:1:log-group:/aws/lambda/name", Some("/aws/lambda/name")),
        ("elasticloadbalancing:r:1:loadbalancer/app/name/50dc", Some("name")),
        ("elasticloadbalancing:r:1:loadbalancer/net/name/50dc", Some("name")),
        ("elasticloadbalancing:r:1:loadbalancer/gwy/name/50dc", Some("name")),
        ("elasticloadbalancing:r:1:loadbalancer/classic", Some("classic")),
        ("elasticloadbalancing:r:1:targetgroup/name/50dc", Some("name")),
        ("eks:r:1:nodegroup/cluster/name/uuid", Some("name")),
        ("eks:r:1:cluster/name", Some("name")),
        ("dynamodb:r:1:table/name", Some("name")),
        ("dynamodb:r:1:table/name/index/i", Some("name")),
        ("ec2:r:1:snapshot/snap-0aa71cc6", Some("snap-0aa71cc6")),
        ("rds:r:1:db:name", Some("name")),
        ("ecs:r:1:service/cluster/name", Some("name")),
        ("sns:r:1:topic", Some("topic")),
        ("sns:r:1:", None),
        ("sns", None),
        ("ec2:r:1:snapshot/", None),
    ];
    let arns: Vec<(String, Option<&str>)> = cases.iter().map(|(rest, short)| (of(rest), *short)).collect();
    check("short_id(x)", &arns.iter().map(|(arn, short)| (arn.as_str(), *short)).collect::<Vec<_>>());
    check("short_id(x)", &[("i-0930001b6263d4c77", None), ("a/b", None), ("", None)]);
}

#[test]
fn tag_keys_are_compared_by_letters_and_digits() {
    for spelling in ["CostCenter", "cost_center", "cost-center", " Cost Center "] {
        check("canonical_key(x)", &[(spelling, Some("costcenter"))]);
    }
    check(
        "canonical_key(x)",
        &[("O'Brien \"x\"; DROP TABLE fact", Some("obrienxdroptablefact")), ("Größe 2", Some("größe2"))],
    );
}

#[test]
fn regions_that_say_nothing_are_compatible() {
    check(
        "canonical_region(x)",
        &[(" US-West-2", Some("us-west-2")), ("West Europe", Some("westeurope")), ("Global", None), ("", None)],
    );
    check(
        "is_compatible(canonical_region(x), 'us-west-2')",
        &[("US-WEST-2", Some("true")), ("global", Some("true")), ("eu-west-1", Some("false"))],
    );
}

#[test]
fn sums_are_rounded_half_even_once() {
    check(
        "amount_of(whole_units(CAST(x AS DECIMAL(38,12))), fraction(CAST(x AS DECIMAL(38,12))))",
        &[
            ("0.0000005", Some("0.000000")),
            ("0.0000015", Some("0.000002")),
            ("-0.0000015", Some("-0.000002")),
            ("-3.0000025", Some("-3.000002")),
            ("-0.0000005", Some("0.000000")),
            ("0.000000500001", Some("0.000001")),
            ("999999999999.9999994", Some("999999999999.999999")),
            ("-999999999999.9999994", Some("-999999999999.999999")),
            ("999999999999.9999995", None),
            ("-1000000000000", None),
            ("99999999999999999999999999.999999999999", None),
        ],
    );
    // Parts that cancel are no overflow, however large they were.
    check(
        "amount_of(CAST(x AS HUGEINT), CAST(-1.5 AS DECIMAL(38,12)))",
        &[("1000000000000", Some("999999999998.500000"))],
    );
    check(
        "is_overflow(CAST(nullif(x, '') AS HUGEINT), CAST(0 AS DECIMAL(38,12)))",
        &[("", Some("false")), ("1000000000000", Some("true"))],
    );
}
