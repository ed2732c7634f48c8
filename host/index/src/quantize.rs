//! Unit vectors as signed bytes with a scale each.

use crate::Vector;

/// Scales to length 1; leaves a zero vector as it is.
pub(crate) fn normalize(vector: &mut [f32]) {
    let length = vector.iter().map(|value| f64::from(*value).powi(2)).sum::<f64>().sqrt();
    if length > 0.0 {
        vector.iter_mut().for_each(|value| *value = (f64::from(*value) / length) as f32);
    }
}

impl Vector {
    /// The nearest bytes, with the scale that uses their whole range. What is not finite counts as 0.
    pub fn quantize(values: &[f32]) -> Self {
        let finite = |value: f32| if value.is_finite() { value } else { 0.0 };
        let largest = values.iter().fold(0f32, |largest, value| largest.max(finite(*value).abs()));
        if largest == 0.0 {
            return Self { values: vec![0; values.len()].into(), scale: 0.0 };
        }
        let bytes = values.iter().map(|value| (finite(*value) / largest * 127.0).round() as i8).collect();
        Self { values: bytes, scale: largest / 127.0 }
    }
}

/// Dot product of bytes, exact: 2^16 dimensions of ±127 stay inside an i32.
pub(crate) fn dot(a: &[i8], b: &[i8]) -> i32 {
    a.iter().zip(b).map(|(a, b)| i32::from(*a) * i32::from(*b)).sum()
}

/// Dot product of a full-precision query with stored bytes, before the scale. In lanes, so that it
/// runs as vector code and in the same order everywhere.
pub(crate) fn dot_f32(query: &[f32], stored: &[i8]) -> f32 {
    const LANES: usize = 8;
    let mut sums = [0f32; LANES];
    for (query, stored) in query.chunks(LANES).zip(stored.chunks(LANES)) {
        for ((sum, query), stored) in sums.iter_mut().zip(query).zip(stored) {
            *sum += query * f32::from(*stored);
        }
    }
    sums.iter().sum()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quantised_vector_keeps_its_direction() {
        let mut values: Vec<f32> = (0..384).map(|i| ((i * 37 % 101) as f32 - 50.0) / 13.0).collect();
        normalize(&mut values);
        let stored = Vector::quantize(&values);
        let cosine = dot_f32(&values, &stored.values) * stored.scale;
        assert!((cosine - 1.0).abs() < 1e-3, "{cosine}");
        let approximate = dot(&stored.values, &stored.values) as f32 * stored.scale * stored.scale;
        assert!((approximate - 1.0).abs() < 5e-3, "{approximate}");
    }

    #[test]
    fn values_that_are_no_numbers_cannot_poison_a_ranking() {
        let stored = Vector::quantize(&[f32::NAN, f32::INFINITY, 1.0, -2.0]);
        assert_eq!(&*stored.values, &[0, 0, 64, -127]);
        assert!(stored.scale.is_finite());
        assert_eq!(Vector::quantize(&[0.0, 0.0]), Vector { values: Box::new([0, 0]), scale: 0.0 });
    }
}
