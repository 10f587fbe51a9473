//! Monte Carlo tree search that asks a judge what to make of a position.

use super::game::{Board, Game};
use super::tree::Tree;
use retrograd::prelude::*;

/// How to search.
#[derive(Clone, Copy)]
pub(crate) struct Search {
    pub(crate) game: Game,
    /// How much a move that seems bad is still looked at.
    pub(crate) explore: f32,
    /// So many positions of a tree are judged at once.
    pub(crate) width: usize,
}

impl Search {
    /// The share of visits of each move on each board, and the board's value for the one to move, after simulations for as
    /// long as `more` of their number; of none, what `judge` says alone. It gives logits of all moves and a value for each
    /// board. `noise` makes the first moves vary.
    pub(crate) fn run(
        self,
        boards: &[Board],
        judge: &mut dyn FnMut(&[Board]) -> Vec<f32>,
        mut noise: Option<&mut Rng>,
        more: &dyn Fn(usize) -> bool,
    ) -> Vec<(Vec<f32>, f32)> {
        let (game, mut done) = (self.game, 0);
        let mut trees: Vec<_> = boards.iter().map(|&board| Tree::new(board)).collect();
        // The first one is the root.
        while done == 0 || more(done - 1) {
            let width = if done == 0 { 1 } else { self.width };
            let mut open: Vec<_> = trees.iter_mut().filter(|tree| !tree.solved()).collect();
            let (mut paths, mut leaves) = (Vec::new(), Vec::new());
            for (i, tree) in open.iter_mut().enumerate() {
                for _ in 0..width {
                    let path = tree.descend(self.explore);
                    leaves.push(tree.end(&path));
                    paths.push((i, path));
                }
            }
            if open.is_empty() {
                break;
            }
            for ((i, path), answer) in paths.iter().zip(judge(&leaves).chunks(game.actions() + 1)) {
                open[*i].grow(game, path, answer);
            }
            if let (0, Some(rng)) = (done, &mut noise) {
                // Minus the logarithm of a uniform draw, as a share of the sum: a draw of Dirichlet's with all alphas 1.
                let draws = (-Tensor::rand([trees.len(), game.actions()], rng)).log1p().to_vec::<f32>();
                for (tree, draws) in trees.iter_mut().zip(draws.chunks(game.actions())) {
                    let total: f32 = draws.iter().take(tree.moves().len()).sum();
                    let shaken = |prior, draw| 0.75 * prior + 0.25 * draw / total;
                    tree.moves()
                        .iter_mut()
                        .zip(draws)
                        .for_each(|(child, &x)| child.prior = shaken(child.prior, x));
                }
            }
            done += width;
        }
        trees.iter().map(|tree| tree.found(game)).collect()
    }
}
