//! The validator's core on one thread: bytes → judged → cast → Avro frame, and the service's whole transform, beside
//! the naive peer in the same run.

use std::hint::black_box;
use std::sync::Arc;
use std::time::Duration;

use ::validator::ProducerPolicies;
use ::validator::transform::{MessageOutcome, Transform};
use bytes::Bytes;
use contracts::identity::SaltMode;
use contracts::judge::{Policy, judge};
use contracts::topics;
use platform::broker::{Headers, Message, TopicPartition};

use crate::findings::{NOW_MS, finding};
use crate::{cpu, naive};

const FINDINGS: usize = 20_000;
/// CPU time per stage: long against the tick of the CPU clock.
const STAGE: Duration = Duration::from_secs(4);

/// Measures and prints a table.
pub fn run() -> Result<(), String> {
    let wire: Vec<Bytes> = (0..FINDINGS).map(|n| finding(n).into()).collect();
    let bytes: usize = wire.iter().map(Bytes::len).sum();
    println!("{}, one thread; {FINDINGS} different findings of {} bytes on average", cpu::model(), bytes / FINDINGS);
    let policy = Policy::default();
    let broken = |why: &dyn std::fmt::Debug| format!("a generated finding is not valid: {why:?}");

    let naive = measure("naive: Value, checks, ids, JSON", &wire, None, |wire| {
        naive::validate(wire).map(|out| drop(black_box(out)))
    })?;
    measure("judge", &wire, Some(naive), |wire| {
        judge(wire, &policy, 0).map(|f| drop(black_box(f))).map_err(|r| broken(&r))
    })?;
    measure("judge, cast", &wire, Some(naive), |wire| {
        let finding = judge(wire, &policy, 0).map_err(|r| broken(&r))?;
        finding.cast_for_storage().map(|row| drop(black_box(row))).map_err(|v| broken(&v))
    })?;
    measure("judge, cast, encode", &wire, Some(naive), |wire| {
        let finding = judge(wire, &policy, 0).map_err(|r| broken(&r))?;
        let row = finding.cast_for_storage().map_err(|v| broken(&v))?;
        black_box(row.encode());
        Ok(())
    })?;
    let transform = Transform::new(
        ProducerPolicies::own_only(SaltMode::Stable),
        &contracts::topics::PipelineTopics::live(),
        8,
        8,
        1,
    );
    let at = TopicPartition { topic: Arc::from(topics::WIRE), partition: 0 };
    measure("service transform, with headers", &wire, Some(naive), |wire| {
        let value = wire.clone().into();
        let message = Message { at: at.clone(), offset: 1, timestamp_ms: 0, key: None, value, headers: Headers::new() };
        match transform.apply(&message, "topic-id", NOW_MS) {
            MessageOutcome::Valid(record) => {
                black_box(record);
                Ok(())
            }
            MessageOutcome::Dead(_, code) => Err(broken(&code)),
        }
    })?;
    Ok(())
}

/// Records per CPU-second of a stage.
fn measure(
    stage: &str,
    wire: &[Bytes],
    peer: Option<f64>,
    mut apply: impl FnMut(&Bytes) -> Result<(), String>,
) -> Result<f64, String> {
    wire.iter().try_for_each(&mut apply)?;
    let (start, mut records) = (cpu::time()?, 0_usize);
    let spent = loop {
        wire.iter().try_for_each(&mut apply)?;
        records += wire.len();
        let spent = cpu::time()?.saturating_sub(start);
        if spent >= STAGE {
            break spent;
        }
    };
    #[allow(clippy::cast_precision_loss, reason = "a count of records, far below 2^52")]
    let rate = records as f64 / spent.as_secs_f64();
    let ratio = peer.map_or_else(String::new, |peer| format!("{:6.2} x naive", rate / peer));
    println!("{stage:34} {:6.2} µs {rate:9.0} records per CPU-second {ratio}", 1e6 / rate);
    Ok(rate)
}
