//! The mark that offsets of a group bear: the id of the topic they belong to. Kafka keeps them by name, and a step that was
//! under way when a topic was recreated would leave the old topic's offset to the new one.

/// Between the id and what the member says.
const BEHIND_ID: char = '|';
/// Length of an id as Kafka writes it.
const ID_LENGTH: usize = 22;

/// Metadata with the mark.
pub(super) fn of(topic_id: &str, metadata: &str) -> String {
    format!("{topic_id}{BEHIND_ID}{metadata}")
}

/// The topic's id, when there is one, and the metadata. Offsets set by Kafka's tools bear none.
pub(super) fn read(text: &str) -> (Option<&str>, &str) {
    match text.split_once(BEHIND_ID) {
        Some((id, metadata)) if id.len() == ID_LENGTH => (Some(id), metadata),
        _ => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_marked_is_read_and_what_is_not_is_left() {
        let id = "4xWmLr-VSFuZ_dpq0a1bcA";
        assert_eq!(read(&of(id, "{\"a\":\"|\"}")), (Some(id), "{\"a\":\"|\"}"));
        assert_eq!(read(&of(id, "")), (Some(id), ""));
        for other in ["", "text", "a|b", "|"] {
            assert_eq!(read(other), (None, other));
        }
    }
}
