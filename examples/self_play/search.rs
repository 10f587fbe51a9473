//! Monte Carlo tree search that asks a judge what to make of a position.

use super::game::{Board, Game};
use retrograd::prelude::*;

struct Child {
    action: usize,
    board: Board,
    prior: f32,
    visits: f32,
    value: f32,
    /// Its place among the nodes, once it is one.
    node: Option<usize>,
}

/// Boards and what follows from them, the first the root.
struct Tree(Vec<(Board, Vec<Child>)>);

impl Tree {
    /// The way down to a board that has not been looked at, or at which the game is over.
    fn descend(&mut self) -> Vec<(usize, usize)> {
        let (mut path, mut at) = (Vec::new(), 0);
        while !self.0[at].1.is_empty() {
            let (new, children) = (self.0.len(), &mut self.0[at].1);
            let root = (1.0 + children.iter().map(|child| child.visits).sum::<f32>()).sqrt();
            let score = |c: &Child| c.value / c.visits.max(1.0) + 1.5 * c.prior * root / (1.0 + c.visits);
            let scores: Vec<_> = children.iter().map(score).collect();
            let best = best(&scores);
            path.push((at, best));
            at = *children[best].node.get_or_insert(new);
            if at == new {
                let board = children[best].board;
                self.0.push((board, Vec::new()));
                break;
            }
        }
        path
    }

    fn leaf(&self, path: &[(usize, usize)]) -> usize {
        path.last().and_then(|&(node, child)| self.0[node].1[child].node).unwrap_or(0)
    }

    /// Adds what follows from the board at the end of the path, and tells all on it what that is worth.
    fn grow(&mut self, game: Game, path: &[(usize, usize)], answer: &[f32]) {
        let leaf = self.leaf(path);
        let (board, moves) = (self.0[leaf].0, game.moves(self.0[leaf].0));
        let over = if game.won(board) { -1.0 } else { 0.0 };
        let mut value = if moves.is_empty() { over } else { answer[game.actions()] };
        let total: f32 = moves.iter().map(|&(action, _)| answer[action].exp()).sum();
        let child = |(action, board): (usize, Board)| {
            let prior = answer[action].exp() / total;
            Child { action, board, prior, visits: 0.0, value: 0.0, node: None }
        };
        self.0[leaf].1 = moves.into_iter().map(child).collect();
        for &(node, child) in path.iter().rev() {
            value = -value;
            self.0[node].1[child].visits += 1.0;
            self.0[node].1[child].value += value;
        }
    }
}

/// Where the largest is.
pub(crate) fn best(values: &[f32]) -> usize {
    (0..values.len()).max_by(|&a, &b| values[a].total_cmp(&values[b])).unwrap_or(0)
}

/// The share of visits of each move on each board, after simulations for as long as `more` of their number; of none, what
/// `judge` says alone. It gives logits of all moves and a value for each board. `noise` makes the first moves vary.
pub(crate) fn search(
    game: Game,
    boards: &[Board],
    judge: &mut dyn FnMut(&[Board]) -> Vec<f32>,
    mut noise: Option<&mut Rng>,
    more: &dyn Fn(usize) -> bool,
) -> Vec<Vec<f32>> {
    let mut trees: Vec<_> = boards.iter().map(|&board| Tree(vec![(board, Vec::new())])).collect();
    for done in (0..).take_while(|&done| done == 0 || more(done - 1)) {
        let paths: Vec<_> = trees.iter_mut().map(Tree::descend).collect();
        let leaves: Vec<_> = trees.iter().zip(&paths).map(|(tree, path)| tree.0[tree.leaf(path)].0).collect();
        let answers = judge(&leaves);
        for ((tree, path), answer) in trees.iter_mut().zip(&paths).zip(answers.chunks(game.actions() + 1)) {
            tree.grow(game, path, answer);
        }
        if let (0, Some(rng)) = (done, &mut noise) {
            for children in trees.iter_mut().map(|tree| &mut tree.0[0].1) {
                let draws = Tensor::rand([children.len()], rng).log();
                let draws = (&draws / draws.sum(())).to_vec::<f32>();
                children.iter_mut().zip(draws).for_each(|(c, draw)| c.prior = 0.75 * c.prior + 0.25 * draw);
            }
        }
    }
    let shares = |tree: &Tree| {
        let total: f32 = tree.0[0].1.iter().map(|child| child.visits).sum();
        let mut shares = vec![0.0; game.actions()];
        for child in &tree.0[0].1 {
            shares[child.action] = if total > 0.0 { child.visits / total } else { child.prior };
        }
        shares
    };
    trees.iter().map(shares).collect()
}
