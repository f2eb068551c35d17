//! What `repair` does to the files and commits of a store: files rebuilt from the topic ([`rebuild`]), the last commit record of a
//! chain rebuilt from topic and files ([`commit`]), and chains closed against sinks that come late ([`close`]).

pub mod close;
pub mod commit;
pub mod rebuild;
