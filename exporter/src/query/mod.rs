//! Answers for people and the read API: lists and single records, straight from the datasets of a cut. Asking never
//! writes anything.

mod dead_letters;
mod extreme_times;
mod filter;
mod findings;
mod identify;
mod order;
mod record;

pub use dead_letters::{
    DeadLetterDetail, DeadLetterFilter, DeadLetterList, DeadLetterRow, DeadLetterScope, DeadLetterStat, Payload,
    dead_letter_stats, list_dead_letters, show_dead_letter,
};
pub use findings::{
    CurrencyPotential, FindingDetail, FindingFilter, FindingList, Sighting, WorkspacePotential, list_findings,
    potential_savings, show_finding,
};
pub use identify::ID_PREFIX_MIN;
pub use order::FindingOrder;
