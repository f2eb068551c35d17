//! Findings as a scan of many tenants makes them: about 2 KB, different tenants, resources and amounts.

/// Tenants the findings are spread over by default.
pub const TENANTS: usize = 200;

/// A time after that of every finding.
pub const NOW_MS: i64 = 1_768_950_000_000;

/// The `n`-th finding, always the same.
pub fn finding(n: usize) -> String {
    finding_of(n, TENANTS)
}

/// The same, when there are that many tenants.
pub fn finding_of(n: usize, tenants: usize) -> String {
    let volume = format!("vol-{:017x}", n.wrapping_mul(0x9e37_79b9_7f4a_7c15) >> 4);
    let account = 100_000_000_000 + n % 5_000;
    let region = ["eu-west-3", "us-east-1", "ap-southeast-2", "sa-east-1"][n % 4];
    format!(
        r#"{{"tenant_id":"tenant-{tenant}","workspace_id":"prod","run_id":"run-2026-01-20T10:00:00Z","run_ts":"2026-01-20T10:00:00Z","engine_name":"finops-engine","engine_version":"0.1.0","rulepack_version":"2026.1","schema_version":1,"default_currency":"USD","checker_id":"aws.ec2.ebs.storage","check_id":"aws.ec2.ebs.gp2.to.gp3","check_name":"gp2 volumes that should be gp3","category":"cost","sub_category":"storage","frameworks":["FinOps","Well-Architected"],"status":"fail","severity":{{"level":"medium","score":{score}}},"priority":{priority},"title":"Volume still on gp2","message":"{volume} ({size} GiB) is on gp2, which costs more per GiB than gp3 and gives fewer operations a second below one TiB","advice":"Convert the volume to gp3; the change is online and needs no restart.","remediation":"aws ec2 modify-volume --volume-id {volume} --volume-type gp3","links":[{{"label":"console","url":"https://{region}.console.aws.amazon.com/ec2/home#VolumeDetails:volumeId={volume}"}}],"scope":{{"cloud":"aws","provider_partition":"aws","organization_id":"o-a1b2c3d4e5","billing_account_id":"111122223333","account_id":"{account}","region":"{region}","availability_zone":"{region}a","service":"AmazonEC2","resource_type":"ebs_volume","resource_id":"{volume}","resource_arn":"arn:aws:ec2:{region}:{account}:volume/{volume}"}},"issue_key":{{"source":"gp2","target":"gp3","size_gib":{size}}},"estimated":{{"monthly_savings":"{savings}.40","monthly_cost":{cost}.5,"one_time_savings":"","confidence":"high","notes":"list price of the region, without discounts"}},"tags":{{"Name":"db-data-{n}","team":"payments","env":"prod","cost-center":"4711"}},"labels":{{"route":"storage"}},"dimensions":{{"volume_type":"gp2","size_gib":{size}}},"metrics":{{"size_gib":{size},"iops":{iops},"throughput_mibps":125.5}},"metadata_json":""}}"#,
        tenant = n.wrapping_mul(7_919) % tenants,
        score = n % 1000,
        priority = n % 100,
        size = 100 + n % 900,
        savings = n % 300,
        cost = n % 700,
        iops = 300 + n % 3000,
    )
}
