//! Which examples go to the training set and which to the development set.

use super::random::{Purpose, Stream};
use crate::error::Error;

/// How many of each class go to the first part, `count` in all of them: of each class its share, count·(its examples)/m, rounded down,
/// and one more in the classes where that cut off most, until there are enough (the method of largest remainders). Of equal
/// remainders the lower class counts.
fn quotas(labels: &[usize], classes: usize, count: usize) -> Vec<usize> {
    let mut sizes = vec![0_usize; classes];
    labels.iter().for_each(|&label| sizes[label] += 1);
    let (count, m) = (count as u128, labels.len() as u128);
    let mut quotas: Vec<usize> = sizes.iter().map(|&size| (size as u128 * count / m) as usize).collect();
    let mut order: Vec<usize> = (0..classes).collect();
    order.sort_by_key(|&class| std::cmp::Reverse(sizes[class] as u128 * count % m));
    let missing = count as usize - quotas.iter().sum::<usize>();
    // The remainders sum to m·missing, each below m: at least so many are not 0, and those classes have one more.
    order[..missing].iter().for_each(|&class| quotas[class] += 1);
    quotas
}

/// Indices of two parts, in the order of a seeded shuffle: `count` examples, and the others. With `labels` (a class each, and
/// the number of classes) every class goes to both in proportion.
pub(super) fn split(
    m: usize,
    labels: Option<(&[usize], usize)>,
    count: usize,
    seed: u64,
) -> Result<(Vec<usize>, Vec<usize>), Error> {
    if count == 0 || count >= m {
        let allowed = "above 0 and below the number of examples";
        return Err(Error::OutOfRange { what: "size of the first part", value: count as f64, allowed });
    }
    let mut order: Vec<usize> = (0..m).collect();
    Stream::new(seed, Purpose::Split, 0).shuffle(&mut order);
    match labels {
        None => {
            let second = order.split_off(count);
            Ok((order, second))
        }
        Some((labels, classes)) => {
            let mut quotas = quotas(labels, classes, count);
            Ok(order.into_iter().partition(|&i| {
                let quota = &mut quotas[labels[i]];
                let first = *quota > 0;
                *quota -= usize::from(first);
                first
            }))
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn largest_remainders() {
        let labels = |sizes: &[usize]| -> Vec<usize> {
            sizes.iter().enumerate().flat_map(|(class, &size)| vec![class; size]).collect()
        };
        // Shares 1.5, 0, 2.1, 1.4: the cut-off halves go first.
        assert_eq!(quotas(&labels(&[15, 0, 21, 14]), 4, 5), [2, 0, 2, 1]);
        // Shares 0.5 each: the lower classes.
        assert_eq!(quotas(&labels(&[1, 1, 1, 1]), 4, 2), [1, 1, 0, 0]);
        assert_eq!(quotas(&labels(&[2, 3]), 2, 4), [2, 2]);
        assert_eq!(quotas(&labels(&[7]), 1, 3), [3]);
    }
}
