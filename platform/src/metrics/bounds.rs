//! Upper bounds of histograms.

/// From a millisecond to a minute.
pub const SECONDS: &[f64] = &[0.001, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0];
/// From a tenth of a second to an hour.
pub const BUILD_SECONDS: &[f64] = &[0.1, 0.5, 1.0, 5.0, 15.0, 60.0, 300.0, 900.0, 3_600.0];
/// Records of a step or file.
pub const RECORDS: &[f64] = &[1.0, 10.0, 100.0, 500.0, 1_000.0, 5_000.0, 10_000.0, 50_000.0, 100_000.0, 200_000.0];
/// From 4 KiB to 512 MiB.
pub const BYTES: &[f64] =
    &[4_096.0, 65_536.0, 1_048_576.0, 8_388_608.0, 33_554_432.0, 67_108_864.0, 134_217_728.0, 536_870_912.0];
