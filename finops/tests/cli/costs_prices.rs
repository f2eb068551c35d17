//! Split costs and savings at each price, from an AWS report to what `finops findings show` says.

use serde_json::{Value, json};

use super::place::Place;

const POD: &str = "arn:aws:eks:us-west-2:111122223333:pod/prod/shop/cart/uid-cart";
const NODE: &str = "i-0abc1234def567890";

/// December 2025 of an instance, 0.09 USD an hour at a public price of 0.10, and of two pods that it runs.
fn report() -> String {
    let header = "bill_payer_account_id,bill_payer_account_name,line_item_usage_account_id,line_item_line_item_type,\
                  line_item_usage_start_date,line_item_usage_end_date,line_item_product_code,line_item_usage_type,\
                  line_item_operation,line_item_resource_id,line_item_unblended_cost,line_item_currency_code,\
                  line_item_usage_amount,product_region_code,pricing_public_on_demand_rate,\
                  line_item_line_item_description,split_line_item_parent_resource_id,split_line_item_split_cost,\
                  split_line_item_unused_cost\n";
    let day = |day: usize| {
        let end = if day == 31 { "2026-01-01".to_owned() } else { format!("2025-12-{:02}", day + 1) };
        let usage = format!("999988887777,Payer,111122223333,Usage,2025-12-{day:02}T00:00:00Z,{end}T00:00:00Z");
        let pod = |resource: &str, split: &str, unused: &str| {
            format!(
                "{usage},AmazonEKS,USW2-EKS-EC2-vCPU-Hours,EKSPod-EC2,{resource},0,USD,12,us-west-2,,EKS pod,{NODE},{split},{unused}\n"
            )
        };
        let node = format!(
            "{usage},AmazonEC2,USW2-BoxUsage:m5.large,RunInstances,{NODE},2.16,USD,24,us-west-2,0.10,\
             $0.10 per On Demand Linux m5.large Instance Hour,,,\n"
        );
        [node, pod(POD, "1.00", "0.20"), pod(&POD.replace("cart", "web"), "0.80", "0.16")].concat()
    };
    format!("{header}{}", (1..=31).map(day).collect::<String>())
}

fn finding(resource: &str, resource_type: &str) -> String {
    let scope = json!({
        "cloud": "aws", "provider_partition": "aws", "billing_account_id": "999988887777", "account_id": "111122223333",
        "region": "us-west-2", "service": "AmazonEKS", "resource_type": resource_type, "resource_id": resource,
    });
    let finding = json!({
        "tenant_id": "acme", "workspace_id": "default", "run_id": "kube-1", "run_ts": "2026-01-01T10:00:00Z",
        "engine_name": "kube-advisor", "engine_version": "1", "rulepack_version": "1", "schema_version": 1,
        "default_currency": "USD", "checker_id": "kube", "check_id": format!("kube.{resource_type}.idle"),
        "check_name": "idle", "category": "cost", "status": "fail", "severity": {"level": "medium", "score": 500},
        "title": "idle", "message": "m", "advice": "a", "scope": scope, "issue_key": {"resource": resource}, "estimated": {},
    });
    format!("{finding}\n")
}

#[test]
fn a_pod_costs_what_is_split_off_for_it_and_savings_have_three_prices() {
    let place = Place::new();
    place.write("cur.csv", report());
    place.write("kube.jsonl", [finding(POD, "pod"), finding(NODE, "instance")].concat());
    let run = place.finops("run --tenant acme --bill cur.csv --findings kube.jsonl");
    assert_eq!(run.code, Some(0), "{run}");
    let listed = place.finops("findings list --tenant acme --output ndjson").lines(0);
    let show = |check: &str, form: &str| {
        let row = listed.iter().find(|row| row["check_id"] == check).unwrap_or_else(|| panic!("{check}: {listed:#?}"));
        place.finops(&format!("findings show --tenant acme --output {form} {}", row["finding_id"].as_str().unwrap()))
    };
    let cost = |check: &str| show(check, "json").json(0)["actual"]["cost_30d"].clone();
    // 30 days of the split cost and the share of what is unused; the instance costs what it is charged for, and no pod comes on top.
    assert_eq!((cost("kube.pod.idle"), cost("kube.instance.idle")), (json!("36.000000"), json!("64.800000")));
    // A quarter of 744 hours: at 0.09 as charged and as paid, at 0.10 at the public price.
    let text = show("billing.compute.commitment.gap", "table").text();
    let said = |label: &str| {
        let line =
            text.lines().find(|line| line.trim_start().starts_with(label)).unwrap_or_else(|| panic!("{label}: {text}"));
        line.split_whitespace().skip(label.split(' ').count()).collect::<Vec<_>>().join(" ")
    };
    assert_eq!(said("savings a month"), "16.74 USD");
    assert_eq!(["monthly_savings_list", "monthly_savings_effective"].map(said), ["18.6", "16.74"]);
    let spend: Value = place.finops("costs status --tenant acme --output json").json(0);
    assert_eq!(spend[0]["unblended"], "66.96", "no total counts a split cost beside its parent");
}
