//! `finops` as its users meet it: the real program, what it prints and how it ends.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod bad_input;
mod bills;
mod chart;
mod configuration;
mod contract_test;
mod costs;
mod costs_bad_input;
mod costs_check;
mod costs_prices;
mod data_folder;
mod deploy;
mod documents;
mod help;
mod interrupt;
mod job;
mod money;
mod operate;
mod output;
mod place;
mod readme;
mod redrive;
mod replay;
mod run_report;
mod services;
mod terminal;
mod traces;
mod verify;
