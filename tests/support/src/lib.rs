//! The test kit: clients and cameras that drive the real daemon. Tests, the demo and the benchmarks share them.

pub mod flashes;
