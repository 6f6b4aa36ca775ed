//! Which places of a program always hold the same value, learnt from its executions.
//!
//! Taking two places for one parameter when they are not would hide conflicts, so it needs evidence: enough executions
//! and enough different values. Places that are kept apart only make the analysis more careful.

use std::collections::{HashMap, HashSet};
use std::hash::{DefaultHasher, Hash as _, Hasher as _};

use super::shape::Value;

/// Executions that must agree before two places count as one parameter, or one literal as a constant.
pub const EXECUTIONS_LEAST: u64 = 8;

/// Different values that two places must have shared before they count as one parameter.
const VALUES_LEAST: usize = 4;

/// What is known of one place.
#[derive(Clone, Debug, Default)]
struct Place {
    class: usize,
    first: Option<Value>,
    varies: bool,
    is_told: bool,
    /// Hashes of different values, up to [`VALUES_LEAST`].
    values: HashSet<u64>,
}

/// Places in classes of equal values. A place that never held a value is alone.
#[derive(Clone, Debug)]
pub struct EqualPlaces {
    places: Vec<Place>,
    executions: u64,
}

impl EqualPlaces {
    /// So many places, of which nothing is known.
    pub fn new(places: usize) -> Self {
        Self { places: vec![Place::default(); places], executions: 0 }
    }

    /// Takes the values of one execution, one for each place.
    pub fn observe(&mut self, values: &[&Value]) {
        self.executions += 1;
        let mut classes: HashMap<(usize, Option<&str>), usize> = HashMap::new();
        for (index, (place, value)) in self.places.iter_mut().zip(values).enumerate() {
            // A value that is not told is equal to none, not even to another that is not told.
            let key = value.as_deref();
            place.class = match key {
                None => usize::MAX - index,
                Some(_) => *classes.entry((place.class, key)).or_insert(index),
            };
            place.is_told |= key.is_some();
            place.note(value);
        }
    }

    /// The first place that holds the same parameter as this one, of those that `may` be taken for it.
    pub fn representative(&self, place: usize, may: &dyn Fn(usize) -> bool) -> usize {
        let of = &self.places[place];
        let is_known = self.executions >= EXECUTIONS_LEAST && of.values.len() >= VALUES_LEAST;
        let mut same = (0..self.places.len()).filter(|other| self.places[*other].class == of.class && may(*other));
        if is_known { same.next().unwrap_or(place) } else { place }
    }

    /// Whether the place held one value in all of enough executions.
    pub fn is_constant(&self, place: usize) -> bool {
        let place = &self.places[place];
        self.executions >= EXECUTIONS_LEAST && place.is_told && !place.varies
    }
}

impl Place {
    fn note(&mut self, value: &Value) {
        match &self.first {
            None => self.first = Some(value.clone()),
            Some(first) => self.varies |= first != value,
        }
        if self.values.len() < VALUES_LEAST {
            let mut hasher = DefaultHasher::new();
            value.hash(&mut hasher);
            self.values.insert(hasher.finish());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn observe(places: &mut EqualPlaces, values: &[&str]) {
        let values: Vec<Value> = values.iter().map(|value| Some((*value).to_owned())).collect();
        places.observe(&values.iter().collect::<Vec<_>>());
    }

    #[test]
    fn places_that_always_agree_are_one_parameter() {
        let mut places = EqualPlaces::new(4);
        for customer in 0..20_u32 {
            let (one, other) = (customer.to_string(), (customer % 7 + 1).to_string());
            observe(&mut places, &[&one, &other, &one, "10"]);
        }
        let representatives: Vec<usize> = (0..4).map(|place| places.representative(place, &|_| true)).collect();
        assert_eq!(representatives, [0, 1, 0, 3]);
        assert!(places.is_constant(3) && !places.is_constant(0));
    }

    #[test]
    fn a_chance_is_no_evidence() {
        let mut places = EqualPlaces::new(2);
        for _ in 0..100 {
            observe(&mut places, &["1", "1"]);
        }
        assert_eq!(places.representative(1, &|_| true), 1, "one value shows nothing");
        let mut places = EqualPlaces::new(2);
        for value in ["1", "2", "3", "4", "5"] {
            observe(&mut places, &[value, value]);
        }
        assert_eq!(places.representative(1, &|_| true), 1, "five executions show nothing");
    }

    #[test]
    fn values_that_are_not_told_are_equal_to_nothing() {
        let mut places = EqualPlaces::new(2);
        for _ in 0..100 {
            places.observe(&[&None, &None]);
        }
        assert_eq!(places.representative(1, &|_| true), 1);
        assert!(!places.is_constant(0));
    }

    #[test]
    fn a_place_that_may_not_be_taken_is_passed_over() {
        let mut places = EqualPlaces::new(3);
        for value in 0..100 {
            let value = value.to_string();
            observe(&mut places, &[&value, &value, &value]);
        }
        assert_eq!(places.representative(2, &|other| other > 0), 1);
    }
}
