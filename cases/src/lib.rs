//! Module 09: ten industry cases.
