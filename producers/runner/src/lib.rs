//! Runs: the choice of checkers, collecting, checking, publishing findings and the run manifest. The only crate in which
//! collectors, checkers and the broker meet. Validator, sink and exporter are unknown here: they meet the producers in topics
//! and in the dataset layout, both in `contracts`.

mod draft;
pub mod publish;
pub mod run;
pub mod selection;
