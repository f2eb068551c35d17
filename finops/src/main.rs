//! `finops`: every role and every operator tool in one command.

fn main() {}
