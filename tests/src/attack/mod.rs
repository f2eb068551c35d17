//! What every attack needs: a [site](site::Site) to attack, the built program as [child processes](program), a
//! [load](load::Load) that never stops, a [reader](reader::Reader) that looks at all data files all the time, and an
//! [oracle] that counts what is there against what was produced. The services are seen from outside only: no
//! line of validator, sink or exporter runs in the attacking process, except where it has to be their clock.

pub mod battle;
pub mod bills;
pub mod exports;
pub mod fault;
pub mod load;
pub mod matrix;
pub mod oracle;
pub mod parquet;
pub mod program;
pub mod reader;
pub mod seed;
pub mod site;
