//! What the cost model knows that is true of every CPU: six shares, each between 0 and 1.

/// How caches are shared, and how much of a wait is hidden.
#[derive(Clone, Copy, Debug, PartialEq)]
pub(super) struct Shares {
    /// The share of L1 that operands have to themselves.
    pub(super) l1: f64,
    /// The same of L2.
    pub(super) l2: f64,
    /// The same of L3.
    pub(super) l3: f64,
    /// The share of the transfers from L2 that is hidden by the multiply-adds, at most.
    pub(super) hidden_l2: f64,
    /// The same of transfers from behind L2.
    pub(super) hidden_far: f64,
    /// The same of the output's way back.
    pub(super) hidden_write: f64,
}

impl Shares {
    /// Of all CPUs.
    pub(super) const ALL: Shares =
        Shares { l1: 0.9, l2: 0.8, l3: 0.75, hidden_l2: 0.95, hidden_far: 0.93, hidden_write: 0.8 };
}

/// The share of something that is still in a cache of this size when so many bytes have passed
/// since its last use: all of it up to three quarters of the cache, nothing from five quarters on.
pub(super) fn resident(passed: f64, size: f64) -> f64 {
    (2.5 - 2.0 * passed / size).clamp(0.0, 1.0)
}

/// The cycles that are waited for beside `busy` cycles of work: what exceeds the work, and at
/// least what is never hidden.
pub(super) fn waited(busy: f64, transfers: [(f64, f64); 2]) -> f64 {
    let [(near, near_hidden), (far, far_hidden)] = transfers;
    let never = near * (1.0 - near_hidden) + far * (1.0 - far_hidden);
    (near + far - busy).max(never)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn shares_are_shares() {
        let Shares { l1, l2, l3, hidden_l2, hidden_far, hidden_write } = Shares::ALL;
        for share in [l1, l2, l3, hidden_l2, hidden_far, hidden_write] {
            assert!(share > 0.0 && share < 1.0, "{share}");
        }
    }

    #[test]
    fn what_passed_a_cache_pushes_out_what_was_there() {
        let size = 1000.0;
        assert_eq!([0.0, 750.0].map(|passed| resident(passed, size)), [1.0; 2]);
        assert_eq!([1250.0, 1e9].map(|passed| resident(passed, size)), [0.0; 2]);
        assert_eq!(resident(1000.0, size), 0.5);
    }

    #[test]
    fn transfers_hide_behind_work_up_to_their_share() {
        // Work for longer than the transfer: the share that never hides is waited for.
        assert_eq!(waited(1000.0, [(100.0, 0.75), (0.0, 0.5)]), 25.0);
        assert_eq!(waited(1000.0, [(100.0, 0.75), (100.0, 0.5)]), 75.0);
        // No work to hide behind: all of it.
        assert_eq!(waited(0.0, [(100.0, 0.75), (40.0, 0.5)]), 140.0);
        assert_eq!(waited(90.0, [(100.0, 0.75), (40.0, 0.5)]), 50.0);
    }
}
