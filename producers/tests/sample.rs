//! All checkers over the real sample: what they publish keeps the contract, repeats exactly, and says what the bill says.

mod support;

#[test]
fn print() {
    let world = support::World::new();
    let report = world.run(&support::plan("run-1", vec![support::sample()])).unwrap();
    let published = support::accept(&world.values(contracts::topics::WIRE));
    for p in &published {
        println!(
            "{} [{} {}] acct={} region={} svc={} type={} res={} arn={} sav={} cost={} conf={}\n   T {}\n   M {}\n   A {}\n   issue={} dims={} tags={}",
            p.text("/check_id"),
            p.text("/status"),
            p.text("/severity/level"),
            p.text("/scope/account_id"),
            p.text("/scope/region"),
            p.text("/scope/service"),
            p.text("/scope/resource_type"),
            p.text("/scope/resource_id"),
            p.text("/scope/resource_arn"),
            p.text("/estimated/monthly_savings"),
            p.text("/estimated/monthly_cost"),
            p.json["estimated"]["confidence"],
            p.text("/title"),
            p.text("/message"),
            p.text("/advice"),
            p.json["issue_key"],
            p.json["dimensions"],
            p.json["tags"]
        );
    }
    println!("{:#?}", report.manifest);
}
