//! Apache Kafka keeps the broker's promises, the same as the embedded log does, and those only it makes.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

use std::sync::Arc;

use platform::broker::conformance::CHECKS;
use tests::kafka::Cluster;

#[test]
fn keeps_every_promise_of_the_seam() {
    let Some(cluster) = Cluster::start() else { return };
    for (name, check) in CHECKS {
        println!("{name}");
        cluster.empty();
        check(&|| Arc::new(cluster.connect()));
    }
}
