//! What a better allocation of isolation levels is worth: `SmallBank` and a workload like TPC-C as studies of the lab, whose
//! arms are allocations.
