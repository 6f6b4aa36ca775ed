//! Histograms and the judgement of noisy measurements. No I/O, no clock.
