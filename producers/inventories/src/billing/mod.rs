//! Billing rows as checkers see them: cells, facts, meters and the aggregated inventory. Pure functions over
//! data; knows no file, no store and no checker.

mod begun;
pub mod cells;
pub mod closed_lists;
pub mod cloud;
pub mod conformance;
pub mod coverage;
pub mod fact;
pub mod hours;
pub mod inventory;
mod known_part;
pub mod line;
pub mod meter;
pub mod monthly;
pub mod period;
mod reversals;
pub mod sku;
pub mod tags;
mod tags_text;
pub mod unit_prices;
pub mod usage_totals;
