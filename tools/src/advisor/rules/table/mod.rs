//! The rules of this program. Each is tested both ways: a case in which it is taken and one in which it is not.

mod limits;
mod needs;
mod preferences;

use super::Rule;

/// All rules: what must be kept besides, what cannot be used, what is preferred.
pub(super) static RULES: &[Rule] = &ALL;

const COUNT: usize = needs::NEEDS.len() + limits::LIMITS.len() + preferences::PREFERENCES.len();

const ALL: [Rule; COUNT] = {
    let mut all = [needs::NEEDS[0]; COUNT];
    let mut at = 0;
    while at < COUNT {
        let limits = needs::NEEDS.len();
        let preferences = limits + limits::LIMITS.len();
        all[at] = if at < limits {
            needs::NEEDS[at]
        } else if at < preferences {
            limits::LIMITS[at - limits]
        } else {
            preferences::PREFERENCES[at - preferences]
        };
        at += 1;
    }
    all
};
