//! The long run: what was spent against what the budget has allowed since.

use std::time::Duration;

use super::Budget;

/// What was not spent may be spent later, but not more than so many seconds' worth: a quiet night
/// pays for no busy morning.
const SAVED: Duration = Duration::from_secs(3);

/// Processor time in seconds that may still be spent; below zero are debts, and those are paid in
/// full. So, from any moment to any later one, spending is at most the budget, plus the little that
/// was saved, plus the last excess.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Account {
    budget: Budget,
    credit: f64,
}

impl Account {
    /// With all that can be saved.
    #[must_use]
    pub fn new(budget: Budget) -> Self {
        Self {
            budget,
            credit: Self::most(budget),
        }
    }

    /// From now on that is allowed. What was saved counts up to the most of the new budget; debts stay.
    pub fn set_budget(&mut self, budget: Budget) {
        // An unlimited one has saved more than any other can hold.
        self.credit = self.credit.min(Self::most(budget));
        self.budget = budget;
    }

    fn most(budget: Budget) -> f64 {
        budget.cores() * SAVED.as_secs_f64()
    }

    /// After `passed`, in which `spent` seconds of processor time were used.
    pub fn settle(&mut self, passed: Duration, spent: f64) {
        if !self.budget.is_limited() {
            return;
        }
        let income = self.budget.cores() * passed.as_secs_f64();
        self.credit = (self.credit + income - spent).min(Self::most(self.budget));
    }

    /// Whether more was spent than there was.
    #[must_use]
    pub fn is_in_debt(&self) -> bool {
        self.credit < 0.0
    }

    /// Whether at least half of what can be saved is there.
    #[must_use]
    pub fn is_at_ease(&self) -> bool {
        self.credit >= Self::most(self.budget) / 2.0
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_smaller_budget_forgives_no_debts_and_keeps_no_riches() {
        let mut account = Account::new(Budget::DEFAULT);
        account.set_budget(Budget::part(0.001));
        account.settle(Duration::from_secs(1), 0.005);
        assert!(account.is_in_debt());
        account.set_budget(Budget::DEFAULT);
        assert!(account.is_in_debt());
        account.settle(Duration::from_secs(1), 0.0);
        assert!(!account.is_in_debt());
    }

    #[test]
    fn debts_are_paid_before_anything_else() {
        let second = Duration::from_secs(1);
        let mut account = Account::new(Budget::DEFAULT);
        account.settle(second, 0.0);
        assert!(account.is_at_ease());
        account.settle(second, 0.3);
        assert!(account.is_in_debt());
        let until_paid = (0..)
            .take_while(|_| {
                account.settle(second, 0.0);
                account.is_in_debt()
            })
            .count();
        assert!((24..=27).contains(&until_paid), "{until_paid} s");
        assert!(!account.is_at_ease());
    }
}
