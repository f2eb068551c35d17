//! Where a tap begins, and what it makes of reads that fail.

use platform::broker::{
    Consumer, ConsumerConfig, GroupOffset, Headers, Processor, Producer, Result, TopicInfo, TopicSettings, TopicSpec,
};

use super::*;

#[test]
fn where_to_begin() {
    let check = |text: &str, expected| assert_eq!(text.parse::<From>().ok(), expected, "{text}");
    check("earliest", Some(From::Earliest));
    check("42", Some(From::Offset(42)));
    check("1970-01-01T00:00:01Z", Some(From::Time(1_000)));
    check("yesterday", None);
}

/// Topic `t` of two partitions with offsets 0 to 3, read by this function of partition and offset.
struct Scripted<F>(F);

impl<F: Fn(u32, u64) -> Result<Vec<u64>> + Send + Sync> Broker for Scripted<F> {
    fn topics(&self) -> Result<Vec<TopicInfo>> {
        Ok(vec![TopicInfo { name: "t".into(), id: "1".into(), partitions: 2 }])
    }
    fn watermarks(&self, _: &TopicPartition) -> Result<Watermarks> {
        Ok(Watermarks { low: 0, high: 4 })
    }
    fn read(&self, at: &TopicPartition, offset: u64, _: usize, _: usize) -> Result<Vec<Message>> {
        let message = |offset| Message {
            at: at.clone(),
            offset,
            timestamp_ms: 0,
            key: None,
            value: bytes::Bytes::new().into(),
            headers: Headers::new(),
        };
        Ok((self.0)(at.partition, offset)?.into_iter().map(message).collect())
    }
    fn ensure_topic(&self, _: &TopicSpec) -> Result<TopicInfo> {
        unreachable!()
    }
    fn topic_settings(&self, _: &str) -> Result<TopicSettings> {
        unreachable!()
    }
    fn delete_topic(&self, _: &str) -> Result<()> {
        unreachable!()
    }
    fn producer(&self) -> Result<Box<dyn Producer>> {
        unreachable!()
    }
    fn consumer(&self, _: ConsumerConfig) -> Result<Box<dyn Consumer>> {
        unreachable!()
    }
    fn processor(&self, _: ConsumerConfig) -> Result<Box<dyn Processor>> {
        unreachable!()
    }
    fn offset_for_time(&self, _: &TopicPartition, _: i64) -> Result<Option<u64>> {
        unreachable!()
    }
    fn group_offsets(&self, _: &str) -> Result<Vec<GroupOffset>> {
        unreachable!()
    }
    fn clean(&self) -> Result<u64> {
        unreachable!()
    }
}

/// Partitions and offsets of one read.
fn read(tap: &mut Tap<'_>) -> Result<Vec<(u32, u64)>> {
    Ok(tap.read()?.iter().map(|message| (message.at.partition, message.offset)).collect())
}

#[test]
fn a_read_that_failed_is_not_the_end() {
    let away = || BrokerError::Retriable { doing: "reading".to_owned(), reason: "away".to_owned() };
    let broker = Scripted(|partition, offset| match partition {
        0 => Ok((offset..4).collect()),
        _ => Err(away()),
    });
    let mut tap = Tap::new(&broker, "t", From::Offset(2), None).unwrap();
    assert_eq!(read(&mut tap).unwrap(), [(0, 2), (0, 3)], "what could be read is not lost");
    assert!(read(&mut tap).unwrap_err().is_retriable());
}

#[test]
fn what_retention_has_removed_is_not_the_end() {
    let broker = Scripted(|partition, offset| match offset {
        offset @ 0..3 => {
            Err(BrokerError::OffsetOutOfRange { topic: "t".to_owned(), partition, offset, low: 3, high: 4 })
        }
        offset => Ok((offset..4).collect()),
    });
    let mut tap = Tap::new(&broker, "t", From::Earliest, None).unwrap();
    assert_eq!(read(&mut tap).unwrap(), [(0, 3), (1, 3)]);
    assert_eq!(read(&mut tap).unwrap(), []);
}
