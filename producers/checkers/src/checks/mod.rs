//! All checkers, one file each. A checker is a pure function over an inventory that registers itself; adding one means a
//! new file and a line in the list of its folder.

pub mod aws;
pub mod focus;
