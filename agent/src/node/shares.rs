//! How the node's budget is shared among the processes that are watched.
//!
//! Numbers in, numbers out. Whoever wants little gets what he wants; what is left is shared by weight
//! among those who want more. What nobody wants is handed out as well, so that each can become busier
//! without asking first.

/// What watching one process would like to have.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Wish {
    /// Cores with which it would be watched as closely as possible.
    pub cores: f64,
    /// What it counts for among those who want more than there is: one with leaks more than one without.
    pub weight: f64,
}

/// A share of `budget` cores for each wish, in their order. All are larger than nothing, and together they
/// are no more than `budget`.
#[must_use]
pub fn shares(budget: f64, wishes: &[Wish]) -> Vec<f64> {
    let mut shares = vec![0.0; wishes.len()];
    let mut left = budget;
    let mut wanting: Vec<usize> = (0..wishes.len()).collect();
    // Each round serves all whose wish is below what their weight would give them; at most as many rounds
    // as wishes.
    loop {
        let weights: f64 = wanting.iter().map(|place| weight(&wishes[*place])).sum();
        let each = left / weights.max(f64::MIN_POSITIVE);
        let (modest, others): (Vec<usize>, Vec<usize>) = wanting
            .iter()
            .partition(|place| wishes[**place].cores <= each * weight(&wishes[**place]));
        if modest.is_empty() {
            for place in others {
                shares[place] = each * weight(&wishes[place]);
            }
            return shares;
        }
        for place in modest {
            shares[place] = wishes[place].cores.max(0.0);
            left -= shares[place];
        }
        if others.is_empty() {
            let all: f64 = wishes.iter().map(weight).sum();
            for (share, wish) in shares.iter_mut().zip(wishes) {
                *share += left * weight(wish) / all;
            }
            return shares;
        }
        wanting = others;
    }
}

fn weight(wish: &Wish) -> f64 {
    wish.weight.max(1e-3)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn wish(cores: f64, weight: f64) -> Wish {
        Wish { cores, weight }
    }

    #[test]
    fn who_wants_little_gets_it_and_the_rest_is_shared_by_weight() {
        let got = shares(0.02, &[wish(0.001, 1.0), wish(0.5, 1.0), wish(0.5, 3.0)]);
        assert!((got[0] - 0.001).abs() < 1e-9, "{got:?}");
        assert!((got[2] / got[1] - 3.0).abs() < 1e-9, "{got:?}");
        assert!((got.iter().sum::<f64>() - 0.02).abs() < 1e-9);
    }

    #[test]
    fn what_nobody_wants_is_handed_out() {
        let got = shares(0.02, &[wish(0.001, 1.0), wish(0.002, 1.0)]);
        assert!((got.iter().sum::<f64>() - 0.02).abs() < 1e-9);
        assert!(got[1] > got[0]);
        assert_eq!(shares(0.02, &[]), Vec::<f64>::new());
    }

    proptest! {
        #[test]
        fn never_more_than_there_is_and_something_for_everybody(
            budget in 0.001_f64..1.0,
            wishes in proptest::collection::vec((0.0_f64..1.0, 0.0_f64..10.0), 0..300),
        ) {
            let wishes: Vec<Wish> = wishes.into_iter().map(|(cores, weight)| wish(cores, weight)).collect();
            let got = shares(budget, &wishes);
            prop_assert_eq!(got.len(), wishes.len());
            prop_assert!(got.iter().sum::<f64>() <= budget * (1.0 + 1e-9));
            let scarce = wishes.iter().map(|wish| wish.cores).sum::<f64>() > budget;
            for (share, wish) in got.iter().zip(&wishes) {
                prop_assert!(*share > 0.0 || wish.cores == 0.0 && scarce);
            }
        }
    }
}
