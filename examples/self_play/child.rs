//! A move in the tree of a search, and what is thought of it. What is found out for sure, a win, a draw or a loss, is not
//! guessed again (Winands and others, Monte-Carlo Tree Search Solver, 2008).

use super::game::{Board, Game};

pub(crate) struct Child {
    pub(crate) action: usize,
    pub(crate) board: Board,
    pub(crate) prior: f32,
    pub(crate) visits: f32,
    /// The sum of what the visits came to.
    pub(crate) sum: f32,
    /// What the move comes to for sure, once that is known.
    pub(crate) exact: Option<f32>,
    /// Its place among the nodes, once it is one.
    pub(crate) node: Option<usize>,
}

impl Child {
    pub(crate) fn new(game: Game, action: usize, board: Board, prior: f32) -> Self {
        Self { action, board, prior, visits: 0.0, sum: 0.0, exact: game.end(board), node: None }
    }

    pub(crate) fn value(&self) -> f32 {
        self.exact.unwrap_or(self.sum / self.visits.max(1.0))
    }
}

/// What a position comes to for sure: a win if one move wins, else what the best does once all are known.
pub(crate) fn exact(children: &[Child]) -> Option<f32> {
    let best = children.iter().filter_map(|child| child.exact).reduce(f32::max);
    best.filter(|&best| best == 1.0 || children.iter().all(|child| child.exact.is_some()))
}

/// Where the largest is.
pub(crate) fn best(values: impl IntoIterator<Item = f32>) -> usize {
    values.into_iter().enumerate().max_by(|a, b| a.1.total_cmp(&b.1)).map_or(0, |found| found.0)
}
